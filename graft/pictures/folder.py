"""Raw data as one folder of pictures per class, perhaps below `train`, `val` and `test`."""

import re
from pathlib import Path

import pandas as pd

from graft.common.files import InputError
from graft.console import say
from graft.data.domain import Domain
from graft.grids.grid import Grid
from graft.pictures.class_folders import ClassFolders, is_hidden
from graft.pictures.picture_files import is_picture
from graft.pictures.picture_patches import NamedPicture, cut_pictures


def has_image_folders(path: Path) -> bool:
    """Whether there are pictures one or two folders below `path`."""
    for pattern in ("*/*", "*/*/*"):
        for file in path.glob(pattern):
            if is_picture(file) and not is_hidden(file):
                return True
    return False


def read_image_folder(
    path: Path,
    name: str,
    classes: list[str],
    grid: Grid,
    patient_pattern: str | None = None,
    ignore: str | None = None,
) -> Domain:
    """Read each picture as one lesion; `train`, `val` and `test` are the given splits.

    The patient is what the group of `patient_pattern` matches in the name of the file. Without a
    pattern each picture counts as a patient. Files that are no pictures, and what `ignore` matches,
    are named and left out. `size` counts the pixels of the patch above the window's floor.

    Raises InputError with the file if it is no picture, cannot be used, or has no patient in its
    name, and with the folder if it is not that of a class.
    """
    pictures = ClassFolders(path, name, classes, ignore).pictures()
    if not pictures:
        raise InputError(
            f"{path}: has no picture in its folders, expected some in each of {', '.join(classes)}"
        )
    if patient_pattern is None:
        say(f"{name}: no patient_pattern, so each picture counts as a patient")
    patients = [_patient_of(path, name, picture.path, patient_pattern) for picture in pictures]
    images = cut_pictures(name, [NamedPicture(picture.path) for picture in pictures], grid)
    is_above_floor = (images > 0).any(1)  # (N, rows, columns)
    index = pd.DataFrame(
        {
            "sample": range(len(pictures)),
            "patient": patients,
            "label": [picture.label for picture in pictures],
            "site": "",
            "split": [picture.split for picture in pictures],
            "origin": [picture.origin for picture in pictures],
            "size": is_above_floor.sum((1, 2)).astype(float),
        }
    )
    measured = "pixels of the patch above the window's floor"
    return Domain(
        name,
        images,
        index,
        classes,
        grid.about(measured, spaced=False),
        patients_known=patient_pattern is not None,
        files=[picture.path.relative_to(path).as_posix() for picture in pictures],
    )


def _patient_of(path: Path, name: str, file: Path, pattern: str | None) -> str:
    if pattern is None:
        return f"{name} {file.relative_to(path).as_posix()}"
    match = re.search(pattern, file.name)
    if not match or not match[1]:
        raise InputError(
            f"{file}: has a name in which patient_pattern {pattern!r} matches no patient, "
            "expected one"
        )
    return match[1]
