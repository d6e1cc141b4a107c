"""Raw data as pictures in a folder for each class: `<class>/*.png`, or `train|val|test/<class>/*.png`."""

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from graft.common.files import InputError
from graft.common.vocabulary import PARTS
from graft.console import say
from graft.data.domain import Domain, Grid
from graft.ingest import pictures

SPLITS = {"val": "validation", "valid": "validation"} | {part: part for part in PARTS}
SYSTEM = (
    "Thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "__MACOSX",
)  # what is not hidden by a dot in front


@dataclass(frozen=True)
class Picture:
    """A file, its class and given split, and where it stands without the name of the file, which may be a patient's."""

    path: Path
    label: str
    split: str
    origin: str


def holds(path: Path) -> bool:
    """Whether there are pictures in folders at `path`, or in folders of these."""
    files = (file for pattern in ("*/*", "*/*/*") for file in path.glob(pattern))
    return any(pictures.is_picture(file) and not _hidden(file) for file in files)


def read(
    path: Path, name: str, classes: list[str], grid: Grid, patient_pattern: str | None
) -> Domain:
    """Read each picture as one lesion; `train`, `val` and `test` are the given splits.

    The patient is what the group of `patient_pattern` finds in the name of the file; without a pattern each
    picture counts as a patient. `size` counts the pixels of the patch above the window's floor.

    Raises InputError with the file that is no picture, cannot be used or has a name without a patient, and with the
    folder that is none of a class.
    """
    found, hidden = _pictures(path, classes)
    if not found:
        raise InputError(
            f"{path}: has no picture in its folders, expected some in each of {', '.join(classes)}"
        )
    if hidden:
        say(f"{name}: {hidden} hidden files skipped")
    if patient_pattern is None:
        say(f"{name}: no patient_pattern, so each picture counts as a patient")
    patients = [_patient(path, name, picture.path, patient_pattern) for picture in found]
    images = pictures.patches(name, [("", picture.path) for picture in found], grid)
    index = pd.DataFrame(
        {
            "sample": range(len(found)),
            "patient": patients,
            "label": [picture.label for picture in found],
            "site": "",
            "split": [picture.split for picture in found],
            "origin": [picture.origin for picture in found],
            "size": (images > 0).any(1).sum((1, 2)).astype(float),
        }
    )
    measured = "pixels of the patch above the window's floor"
    return Domain(name, images, index, classes, grid.about(measured, spaced=False))


def _pictures(path: Path, classes: list[str]) -> tuple[list[Picture], int]:
    """The pictures by split, class and name, and the number of hidden files beside them."""
    tops, hidden = _visible(path)
    names, roots = {top.name for top in tops}, [("", path)]
    if names <= set(SPLITS) and not names <= set(classes):
        roots = [(SPLITS[top.name], top) for top in tops]
    found = []
    for split, root in roots:
        folders, more = _visible(root)
        hidden += more if split else 0
        for folder in folders:
            if not folder.is_dir() or folder.name not in classes:
                expected = f"{', '.join(classes)}, or train, val, test over these"
                raise InputError(f"{folder}: is no folder of a class, expected {expected}")
            files, more = _visible(folder)
            hidden += more
            for number, file in enumerate(files, 1):
                if not file.resolve().is_relative_to(path.resolve()):
                    raise InputError(
                        f"{file}: is a link that leaves the folder, expected a file inside {path}"
                    )
                found.append(
                    Picture(
                        file,
                        folder.name,
                        split,
                        f"{file.parent.relative_to(path).as_posix()}#{number}",
                    )
                )
    order = ("", *PARTS)
    return sorted(
        found, key=lambda picture: (order.index(picture.split), classes.index(picture.label))
    ), hidden


def _visible(folder: Path) -> tuple[list[Path], int]:
    """What is in a folder, by name, and the number of hidden files that are left out."""
    if not folder.is_dir():
        raise InputError(f"{folder}: is a file, expected a folder of pictures")
    entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
    shown = [entry for entry in entries if not _hidden(entry)]
    return shown, len(entries) - len(shown)


def _hidden(entry: Path) -> bool:
    return entry.name.startswith(".") or entry.name in SYSTEM


def _patient(path: Path, name: str, file: Path, pattern: str | None) -> str:
    if pattern is None:
        return f"{name} {file.relative_to(path).as_posix()}"
    match = re.search(pattern, file.name)
    if not match or not match[1]:
        raise InputError(
            f"{file}: has a name in which patient_pattern {pattern!r} finds no patient, expected one"
        )
    return match[1]
