"""Raw data as one MedMNIST file: images and labels of `train`, `val` and `test`."""

from pathlib import Path

import numpy as np

from graft.common.files import InputError
from graft.common.links import check_file_inside, follow_links
from graft.data.domain import Domain
from graft.grids.grid import Grid
from graft.ingest.arrays import ArraySamples, check_real, label_names, make_domain
from graft.ingest.npz import list_arrays, read_npz

SPLITS = {"train": "train", "val": "validation", "test": "test"}
RGB_CHANNELS = 3


def list_npz_files(path: Path) -> list[Path]:
    """The .npz files at `path`: itself, or those in the folder."""
    if path.is_dir():
        return sorted(path.glob("*.npz"))
    return [path] if path.suffix == ".npz" else []


def read_medmnist(path: Path, name: str, classes: list[str], grid: Grid) -> Domain:
    """Read the file's three parts as the given splits.

    Each sample counts as a patient, because the file names none. Images are (N, *spatial) in grey
    or (N, *spatial, 3) in RGB, labels are (N, 1) (Yang et al., MedMNIST v2, 2023).

    Raises InputError if there are several files, if one is damaged, or if an array is missing or
    has another shape.
    """
    files = list_npz_files(path)
    if len(files) != 1:
        raise InputError(f"{path}: contains {len(files)} .npz files, expected one")
    file = files[0]
    check_file_inside(file, path if path.is_dir() else follow_links(file).parent)
    images, labels, splits, origins = [], [], [], []
    for part, split in SPLITS.items():
        part_images, part_labels = _read_part(file, part, len(grid.patch))
        count = len(part_images)
        images.append(part_images)
        labels += label_names(part_labels, classes, f"{file}: {part}_labels")
        splits += [split] * count
        origins += [f"{part}:{row}" for row in range(count)]
    shapes = [part_images.shape[1:] for part_images in images]
    if len(set(shapes)) > 1:
        raise InputError(f"{file}: its parts have images of {shapes}, expected one shape")
    samples = ArraySamples(
        images=np.concatenate(images),
        patients=[f"{name} {origin}" for origin in origins],
        labels=labels,
        splits=splits,
        origins=origins,
        patients_known=False,
    )
    return make_domain(name, file, samples, classes, grid)


def read_part_images(path: Path, part: str, dimensions: int) -> np.ndarray:
    """The images (N, C, *spatial) of one part, without its labels.

    Raises:
        InputError: if the file is damaged, or if the array is missing or has another shape or type.
    """
    name = f"{part}_images"
    images = _put_channels_first(path, name, read_npz(path, [name])[name], dimensions)
    check_real(path, images)
    return images


def list_parts(path: Path) -> list[str]:
    """The parts, of `train`, `val` and `test`, that a file has images of.

    Raises:
        InputError: if the file cannot be read, or has none.
    """
    found = list_arrays(path)
    parts = [part for part in SPLITS if f"{part}_images" in found]
    if not parts:
        raise InputError(
            f"{path}: has {', '.join(found) or 'no array'}, expected some of "
            f"{', '.join(f'{part}_images' for part in SPLITS)}"
        )
    return parts


def _read_part(path: Path, part: str, dimensions: int) -> tuple[np.ndarray, np.ndarray]:
    """The images (N, C, *spatial) and labels of one part."""
    names = [f"{part}_images", f"{part}_labels"]
    arrays = read_npz(path, names)
    images, labels = (arrays[name] for name in names)
    images = _put_channels_first(path, names[0], images, dimensions)
    if len(images) != len(labels):
        raise InputError(
            f"{path}: {part} has {len(images)} images and {len(labels)} labels, expected as many"
        )
    return images, labels


def _put_channels_first(path: Path, name: str, images: np.ndarray, dimensions: int) -> np.ndarray:
    """The images of an array as (N, C, *spatial)."""
    is_colour = images.ndim > 3 and images.shape[-1] == RGB_CHANNELS
    if images.ndim - is_colour != dimensions + 1:
        raise InputError(
            f"{path}: {name} has the shape {images.shape}, expected {dimensions} numbers "
            "after the first, as preprocess.patch has, and 3 at the end for colour"
        )
    return np.moveaxis(images, -1, 1) if is_colour else images[:, None]
