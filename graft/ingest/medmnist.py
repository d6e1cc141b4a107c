"""Raw data as one MedMNIST file: `train_images`, `train_labels`, and the same for `val` and `test`."""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from graft.common.files import InputError
from graft.data.domain import Domain, Grid
from graft.ingest.arrays import label_names, to_domain

SPLITS = {"train": "train", "val": "validation", "test": "test"}
RGB = 3


def files(path: Path) -> list[Path]:
    """The .npz files at `path`: itself, or those in the folder."""
    return sorted(path.glob("*.npz")) if path.is_dir() else [path] if path.suffix == ".npz" else []


def read(path: Path, name: str, classes: list[str], grid: Grid) -> Domain:
    """Read the file's three parts as the given splits; each sample counts as a patient, as the file names none.

    Images are (N, *spatial) grey or (N, *spatial, 3) RGB, labels (N, 1) (Yang et al., MedMNIST v2, 2023).

    Raises InputError where there are several files, one is broken, or an array is missing or of another shape.
    """
    found = files(path)
    if len(found) != 1:
        raise InputError(f"{path}: holds {len(found)} .npz files, expected one")
    images, labels, splits, origins = [], [], [], []
    for part, split in SPLITS.items():
        pictures, answers = _part(found[0], part, len(grid.patch))
        images.append(pictures)
        labels += label_names(answers, classes, f"{found[0]}: {part}_labels")
        splits += [split] * len(pictures)
        origins += [f"{part}:{row}" for row in range(len(pictures))]
    if len({pictures.shape[1:] for pictures in images}) > 1:
        raise InputError(
            f"{found[0]}: its parts hold images of {[p.shape[1:] for p in images]}, expected one shape"
        )
    patients = [f"{name} {origin}" for origin in origins]
    return to_domain(
        name, found[0], np.concatenate(images), (patients, labels, splits, origins), classes, grid
    )


def _part(path: Path, part: str, spatial: int) -> tuple[np.ndarray, np.ndarray]:
    """The images (N, C, *spatial) and labels of one part."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            images, labels = arrays[f"{part}_images"], arrays[f"{part}_labels"]
    except KeyError as error:
        raise InputError(
            f"{path}: {error.args[0]}, expected the arrays of a MedMNIST file"
        ) from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path}: cannot be read as arrays without pickle ({error})") from error
    colour = images.ndim > 3 and images.shape[-1] == RGB
    if images.ndim - colour != spatial + 1:
        raise InputError(
            f"{path}: {part}_images has the shape {images.shape}, expected {spatial} numbers after the first, "
            "as preprocess.patch has, and 3 at the end for colour"
        )
    if len(images) != len(labels):
        raise InputError(
            f"{path}: {part} has {len(images)} images and {len(labels)} labels, expected as many"
        )
    return (np.moveaxis(images, -1, 1) if colour else images[:, None]), labels
