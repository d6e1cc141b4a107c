"""Raw data as one folder of pictures per class, perhaps below `train`, `val` and `test`."""

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from graft.common.files import InputError
from graft.common.vocabulary import PARTS
from graft.console import say
from graft.data.domain import Domain, Grid
from graft.ingest.picture_patches import NamedPicture, cut_pictures
from graft.ingest.pictures import is_picture

SPLITS = {"val": "validation", "valid": "validation"} | {part: part for part in PARTS}
SPLIT_ORDER = ("", *PARTS)
# Hidden files whose names do not start with a dot.
SYSTEM_FILES = ("Thumbs.db", "ehthumbs.db", "desktop.ini", "__MACOSX")


@dataclass(frozen=True)
class LabelledPicture:
    """A picture with its class and given split.

    Its `origin` is the folder and a number: the name of the file may be a patient's.
    """

    path: Path
    label: str
    split: str
    origin: str


def has_image_folders(path: Path) -> bool:
    """Whether there are pictures one or two folders below `path`."""
    for pattern in ("*/*", "*/*/*"):
        for file in path.glob(pattern):
            if is_picture(file) and not _is_hidden(file):
                return True
    return False


def read_image_folder(
    path: Path, name: str, classes: list[str], grid: Grid, patient_pattern: str | None
) -> Domain:
    """Read each picture as one lesion; `train`, `val` and `test` are the given splits.

    The patient is what the group of `patient_pattern` matches in the name of the file. Without a
    pattern each picture counts as a patient. `size` counts the pixels of the patch above the
    window's floor.

    Raises InputError with the file if it is no picture, cannot be used, or has no patient in its
    name, and with the folder if it is not that of a class.
    """
    pictures, hidden = _list_pictures(path, classes)
    if not pictures:
        raise InputError(
            f"{path}: has no picture in its folders, expected some in each of {', '.join(classes)}"
        )
    if hidden:
        say(f"{name}: {hidden} hidden files skipped")
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
    about = grid.about(measured, spaced=False)
    return Domain(name, images, index, classes, about, patients_known=patient_pattern is not None)


def _list_pictures(path: Path, classes: list[str]) -> tuple[list[LabelledPicture], int]:
    """The pictures sorted by split, class and name, and the number of hidden files."""
    top_folders, hidden = _list_visible(path)
    names = {folder.name for folder in top_folders}
    if names <= set(SPLITS) and not names <= set(classes):
        found = []
        for folder in top_folders:
            class_folders, more = _list_visible(folder)
            hidden += more
            pictures, more = _list_classes(path, class_folders, classes, SPLITS[folder.name])
            hidden += more
            found += pictures
    else:
        found, more = _list_classes(path, top_folders, classes, split="")
        hidden += more
    found.sort(key=lambda one: (SPLIT_ORDER.index(one.split), classes.index(one.label)))
    return found, hidden


def _list_classes(
    path: Path, folders: list[Path], classes: list[str], split: str
) -> tuple[list[LabelledPicture], int]:
    """The pictures in the folders of the classes, and the number of hidden files there."""
    found = []
    hidden = 0
    for folder in folders:
        if not folder.is_dir() or folder.name not in classes:
            expected = f"{', '.join(classes)}, or train, val, test above these"
            raise InputError(f"{folder}: is not the folder of a class, expected {expected}")
        files, more = _list_visible(folder)
        hidden += more
        for number, file in enumerate(files, 1):
            if not file.resolve().is_relative_to(path.resolve()):
                raise InputError(
                    f"{file}: is a link that leaves the folder, expected a file inside {path}"
                )
            origin = f"{folder.relative_to(path).as_posix()}#{number}"
            found.append(LabelledPicture(file, folder.name, split, origin))
    return found, hidden


def _list_visible(folder: Path) -> tuple[list[Path], int]:
    """The visible content of a folder, sorted by name, and the number of hidden files."""
    if not folder.is_dir():
        raise InputError(f"{folder}: is a file, expected a folder of pictures")
    entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
    visible = [entry for entry in entries if not _is_hidden(entry)]
    return visible, len(entries) - len(visible)


def _is_hidden(entry: Path) -> bool:
    return entry.name.startswith(".") or entry.name in SYSTEM_FILES


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
