"""Raw data as NumPy arrays: `data.npy`, `labels.npy` and perhaps `groups.npy`."""

import math
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from graft.common.files import InputError
from graft.console import say
from graft.data.domain import Domain
from graft.grids.grid import Grid
from graft.grids.intensity import raw_window
from graft.ingest.npz import check_memory, map_npy

DATA_FILE = "data.npy"
LABELS_FILE = "labels.npy"
GROUPS_FILE = "groups.npy"  # the patient of each sample
MAX_CHANNELS = 4


@dataclass(frozen=True)
class ArraySamples:
    """The samples of a domain as arrays: images (N, C, *spatial), and a column for each fact."""

    images: np.ndarray
    patients: list[str]
    labels: list[str]
    splits: list[str]
    origins: list[str]
    patients_known: bool


def read_arrays(path: Path, name: str, classes: list[str], grid: Grid) -> Domain:
    """Read `data.npy` (N, [C], *spatial), `labels.npy` (N,) and perhaps `groups.npy` (N,).

    Without groups each row is a patient.

    Raises InputError if an array is missing, has another length or type, needs pickle, or has a
    label that is not one of the classes.
    """
    images = map_images(path / DATA_FILE, len(grid.patch))
    count = len(images)
    labels = label_names(_load_column(path / LABELS_FILE, count), classes, path / LABELS_FILE)
    has_groups = os.path.lexists(path / GROUPS_FILE)  # a broken link must not pass for no groups
    if has_groups:
        patients = _as_text(_load_column(path / GROUPS_FILE, count), path / GROUPS_FILE)
    else:
        patients = [f"{name} row {row}" for row in range(count)]
    samples = ArraySamples(
        images=images,
        patients=patients,
        labels=labels,
        splits=[""] * count,
        origins=[f"{DATA_FILE}:{row}" for row in range(count)],
        patients_known=has_groups,
    )
    return make_domain(name, path, samples, classes, grid)


def map_images(path: Path, dimensions: int) -> np.ndarray:
    """Map an array of images (N, [C], *spatial) into memory, as (N, C, *spatial).

    Raises:
        InputError: if the file is missing or damaged, or if the array has another shape or type.
    """
    images = _add_channels(map_npy(path), path, dimensions)
    check_real(path, images)
    return images


def make_domain(
    name: str, path: Path, samples: ArraySamples, classes: list[str], grid: Grid
) -> Domain:
    """Window the samples, and crop them or pad them with 0 about their middle.

    `size` counts the voxels above the window's floor before the crop.

    Raises InputError if a sample has NaN, or only one value.
    """
    images = samples.images
    check_real(path, images)
    say(
        f"{name}: arrays have no spacing, so nothing is resampled: images of {images.shape[2:]} "
        f"are cropped or padded to {grid.patch}"
    )
    _check_patch_memory(path, images, grid)
    patches = np.empty((len(images), images.shape[1], *grid.patch), np.float16)
    sizes = np.empty(len(images))
    for row, image in enumerate(images):  # (C, *spatial)
        where = f"{path}: {samples.origins[row]}"
        patches[row], sizes[row] = cut_sample(image, grid, where)
    index = pd.DataFrame(
        {
            "sample": range(len(images)),
            "patient": samples.patients,
            "label": samples.labels,
            "site": "",
            "split": samples.splits,
            "origin": samples.origins,
            "size": sizes,
        }
    )
    measured = "voxels above the window's floor"
    about = grid.about(measured, spaced=False)
    return Domain(name, patches, index, classes, about, patients_known=samples.patients_known)


def check_real(path: Path, images: np.ndarray) -> None:
    """Raise InputError if images are no real numbers."""
    if images.dtype.kind not in "biuf":
        raise InputError(f"{path}: the images have {images.dtype}, expected real numbers")


def cut_sample(image: np.ndarray, grid: Grid, where: str) -> tuple[np.ndarray, int]:
    """Window a sample (C, *spatial), and crop it or pad it with 0 about its middle.

    Returns:
        The patch (C, *patch) float16, and the voxels above the window's floor before the crop.

    Raises:
        InputError: beginning with `where`, if the sample has NaN, or if the patch has one value.
    """
    windowed, window = _window_sample(image, grid, where)
    patch = _fit(windowed, grid.patch).astype(np.float16)
    if patch.min() == patch.max():
        raise InputError(
            f"{where} is {patch.max():g} everywhere after the crop and the window "
            f"{list(window)}, expected a picture"
        )
    return patch, int((windowed > 0).any(0).sum())


def _fit(image: np.ndarray, patch: tuple[int, ...]) -> np.ndarray:
    """Crop an image (C, *spatial), or pad it with 0, about its middle: (C, *patch).

    It does what MONAI's ResizeWithPadOrCrop does. Who only predicts need not install MONAI.
    """
    kept = [slice(None)]
    margins = [(0, 0)]
    for side, wanted in zip(image.shape[1:], patch, strict=True):
        start = max(side // 2 - wanted // 2, 0) if side > wanted else 0
        missing = max(wanted - side, 0)
        kept.append(slice(start, start + wanted))
        margins.append((missing // 2, missing - missing // 2))
    return np.pad(image[tuple(kept)], margins)


def _check_patch_memory(path: Path, images: np.ndarray, grid: Grid) -> None:
    """Raise InputError if the patches of all samples and one whole sample do not fit in memory."""
    of_patches = len(images) * images.shape[1] * math.prod(grid.patch) * 2  # bytes of float16
    of_sample = math.prod(images.shape[1:]) * 4  # bytes of float32
    try:
        check_memory(of_patches + of_sample)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def label_names(labels: np.ndarray, classes: list[str], where: Path | str) -> list[str]:
    """The class of each sample, from names or from numbers that count the classes from 0.

    `labels` is (N,) or (N, 1).
    """
    cells = _as_text(labels, where)
    if labels.dtype.kind == "U":
        known = {name: name for name in classes}
    elif labels.dtype.kind in "biu":
        known = {str(number): name for number, name in enumerate(classes)}
        cells = [str(int(label)) for label in labels.ravel()]
    else:
        raise InputError(f"{where}: has {labels.dtype}, expected whole numbers or class names")
    for row, cell in enumerate(cells):
        if cell not in known:
            raise InputError(
                f"{where}: row {row} is {cell}, expected one of {', '.join(known)} "
                f"(classes {classes})"
            )
    return [known[cell] for cell in cells]


def _window_sample(
    image: np.ndarray, grid: Grid, where: str
) -> tuple[np.ndarray, tuple[float, float]]:
    """The image with its intensities from 0 to 1, and the raw intensities that these were."""
    with np.errstate(over="ignore"):
        numbers = image.astype(np.float32)
    if not np.isfinite(numbers).all():
        raise InputError(f"{where} has NaN, infinity or numbers beyond float32, expected numbers")
    try:
        window = raw_window(grid.window, grid.intensity, image)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    low, high = window
    with np.errstate(over="ignore", invalid="ignore"):  # NaN is refused below
        windowed = ((numbers - low) / (high - low)).clip(0, 1)
    if not np.isfinite(windowed).all():
        raise InputError(f"{where} is NaN after the window {list(window)}, expected another window")
    return windowed, window


def _add_channels(data: np.ndarray, path: Path, dimensions: int) -> np.ndarray:
    """Images (N, C, *spatial), with one channel if the data has none."""
    images = data[:, None] if data.ndim == dimensions + 1 else data
    if images.ndim != dimensions + 2 or not 1 <= images.shape[1] <= MAX_CHANNELS:
        raise InputError(
            f"{path}: has the shape {images.shape}, expected (N, *size) or (N, channels, *size) "
            f"with {dimensions} numbers in size, as preprocess.patch has, and at most "
            f"{MAX_CHANNELS} channels"
        )
    return images


def _load_column(path: Path, expected: int) -> np.ndarray:
    """An array with one row per sample."""
    column = map_npy(path)
    count = len(column) if column.ndim else 0
    if count != expected:
        raise InputError(
            f"{path}: has {count} rows and {DATA_FILE} has {expected}, expected as many"
        )
    return column


def _as_text(column: np.ndarray, where: Path | str) -> list[str]:
    if column.ndim not in (1, 2) or column.size != len(column):
        raise InputError(f"{where}: has the shape {column.shape}, expected one value per sample")
    try:
        cells = [str(value) for value in column.ravel().tolist()]
        "".join(cells).encode()
    except (SystemError, ValueError) as error:  # characters that Unicode does not have
        raise InputError(f"{where}: has text that is not Unicode, it may be damaged") from error
    return cells
