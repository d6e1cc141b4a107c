"""Raw data as NumPy arrays: `data.npy`, `labels.npy` and, where patients have several samples, `groups.npy`."""

from pathlib import Path

import numpy as np
import pandas as pd

from graft.common.files import InputError
from graft.console import say
from graft.data.domain import Domain, Grid
from graft.ingest.intensity import to_raw

DATA, LABELS, GROUPS = "data.npy", "labels.npy", "groups.npy"
MOST_CHANNELS = 4


def read(path: Path, name: str, classes: list[str], grid: Grid) -> Domain:
    """Read `data.npy` (N, [C], *spatial), `labels.npy` (N,) and perhaps `groups.npy` (N,).

    Without groups each row is a patient. Raises InputError where an array is missing, of another length or
    kind, needs pickle, or holds a label that is not among the classes.
    """
    data, labels = _load(path / DATA), label_names(_load(path / LABELS), classes, path / LABELS)
    spatial = len(grid.patch)
    if data.ndim == spatial + 1:
        data = data[:, None]
    if data.ndim != spatial + 2 or not 1 <= data.shape[1] <= MOST_CHANNELS:
        raise InputError(
            f"{path / DATA}: has the shape {data.shape}, expected (N, *size) or (N, channels, *size) with {spatial} "
            f"numbers in size, as preprocess.patch has, and at most {MOST_CHANNELS} channels"
        )
    patients = [f"{name} row {row}" for row in range(len(data))]
    if (path / GROUPS).exists():
        patients = _column(_load(path / GROUPS), path / GROUPS)
    for file, column in ((LABELS, labels), (GROUPS, patients)):
        if len(column) != len(data):
            raise InputError(
                f"{path / file}: has {len(column)} rows and {DATA} has {len(data)}, expected as many"
            )
    origins = [f"{DATA}:{row}" for row in range(len(data))]
    return to_domain(name, path, data, (patients, labels, [""] * len(data), origins), classes, grid)


def to_domain(
    name: str,
    path: Path,
    data: np.ndarray,
    columns: tuple[list[str], list[str], list[str], list[str]],
    classes: list[str],
    grid: Grid,
) -> Domain:
    """A domain of arrays (N, C, *spatial), windowed, and cropped or padded with 0 about their middle.

    `columns` are the patients, labels, given splits and origins. `size` counts the voxels above the window's
    floor before the crop. Raises InputError where a sample has NaN or one value only.
    """
    from monai.transforms.croppad.array import ResizeWithPadOrCrop
    from monai.transforms.intensity.array import ScaleIntensityRange

    if data.dtype.kind not in "biuf":
        raise InputError(f"{path}: the images hold {data.dtype}, expected real numbers")
    say(
        f"{name}: arrays have no spacing, so nothing is resampled: images of {data.shape[2:]} are cropped or padded "
        f"to {grid.patch}"
    )
    fit = ResizeWithPadOrCrop(grid.patch)
    patients, labels, splits, origins = columns
    images = np.empty((len(data), data.shape[1], *grid.patch), np.float16)
    sizes = np.empty(len(data))
    for row, sample in enumerate(data):  # (C, *spatial)
        if not np.isfinite(sample).all():
            raise InputError(f"{path}: {origins[row]} has NaN or infinity, expected numbers")
        try:
            window = to_raw(grid.window, grid.intensity, sample)
        except InputError as error:
            raise InputError(f"{path}: {origins[row]}: {error}") from error
        windowed = ScaleIntensityRange(*window, 0.0, 1.0, clip=True)(sample.astype(np.float32))
        sizes[row] = (windowed > 0).any(0).sum()
        images[row] = fit(windowed).numpy()
        if images[row].min() == images[row].max():
            raise InputError(
                f"{path}: {origins[row]} is {images[row].max():g} everywhere after the crop and the window "
                f"{list(window)}, expected a picture"
            )
    index = pd.DataFrame(
        {
            "sample": range(len(data)),
            "patient": patients,
            "label": labels,
            "site": "",
            "split": splits,
            "origin": origins,
            "size": sizes,
        }
    )
    measured = "voxels above the window's floor"
    return Domain(name, images, index, classes, grid.about(measured, spaced=False))


def label_names(labels: np.ndarray, classes: list[str], where: Path | str) -> list[str]:
    """The class of each sample, from names or from numbers that count the classes from 0: (N,) or (N, 1)."""
    names = _column(labels, where)
    if labels.dtype.kind == "U":
        known = {name: name for name in classes}
    elif labels.dtype.kind in "biu":
        known = {str(int(number)): name for number, name in enumerate(classes)}
        names = [str(int(label)) for label in labels.ravel()]
    else:
        raise InputError(
            f"{where}: holds {labels.dtype}, expected whole numbers or names of classes"
        )
    for row, label in enumerate(names):
        if label not in known:
            raise InputError(
                f"{where}: row {row} is {label}, expected one of {', '.join(known)} (classes {classes})"
            )
    return [known[label] for label in names]


def _column(column: np.ndarray, where: Path | str) -> list[str]:
    if column.ndim not in (1, 2) or column.size != len(column):
        raise InputError(f"{where}: has the shape {column.shape}, expected one value a sample")
    return [str(value) for value in column.ravel().tolist()]


def _load(path: Path) -> np.ndarray:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise InputError(f"{path}: is missing, expected an array") from error
    except (OSError, ValueError, EOFError) as error:
        # NumPy's own words on pickle advise to load it all the same.
        pickled = "allow_pickle" in str(error) or "Python objects" in str(error)
        reason = "it holds pickled objects" if pickled else str(error)
        raise InputError(
            f"{path}: cannot be read as an array ({reason}), expected a whole .npy file without pickle"
        ) from error
