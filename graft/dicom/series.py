"""A series: the files of a folder that make one volume, chosen, checked, put in order and read."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from graft.common.files import InputError
from graft.dicom import checks, datasets, geometry, pixels
from graft.dicom.slices import Slice, check_alike, slices

if TYPE_CHECKING:
    from pydicom import Dataset

MOST_VOXELS = 1 << 30  # of one volume


@dataclass(frozen=True)
class File:
    """A DICOM file and its header without pixels. `called` names it in errors by the manifest's words and a count."""

    path: Path
    called: str
    header: "Dataset"


def read_series(path: Path, series: str, burned_in: bool) -> tuple[pixels.Rescaled, np.ndarray]:
    """The voxels (column, row, slice) of a series and their affine (4, 4) to mm, LPS+.

    `path` is a folder, or one file of many frames; `series` a SeriesNumber or a SeriesInstanceUID, or '' where the
    folder holds one series of images. With `burned_in`, images that a name may be written into are read too.

    Raises InputError for what docs/data.md lists; it names no file in the folder, as these names often hold others.
    """
    every = _files(path)
    with datasets.reading(f"{path}:"):
        files = _choose(every, series)
    found: list[Slice] = []
    for number, file in enumerate(files):
        with datasets.reading(file.called):
            checks.check(file.header, burned_in)
            found += slices(file.header, number)
    with datasets.reading(f"{path}:"):
        check_alike(found)
        ordered = geometry.order(found)
        affine = geometry.affine(ordered)
        if len(ordered) * np.prod(ordered[0].size) > MOST_VOXELS:
            raise InputError(
                f"has {len(ordered)} slices of {ordered[0].size}, expected {MOST_VOXELS} voxels at most"
            )
    stored = _read_pixels(files, ordered)
    slope, intercept = (
        np.array([getattr(one, name) for one in ordered]) for name in ("slope", "intercept")
    )
    return pixels.Rescaled(stored.T, slope, intercept), affine


def _files(path: Path) -> list[File]:
    """Every DICOM file at `path`, but directories of discs."""
    files = []
    found = datasets.find(path)
    for number, file in enumerate(found):
        called = datasets.called(path, number, len(found)) if path.is_dir() else f"{path}:"
        with datasets.reading(called):
            if not datasets.is_dicom(file):
                continue
            header = datasets.parse(file, pixels=False)
            if header.file_meta.get("MediaStorageSOPClassUID") != datasets.DIRECTORY:
                _check_identified(header)
                files.append(File(file, called, header))
    return files


def _check_identified(header: "Dataset") -> None:
    """Refuse a file that belongs to no series: it might be a slice that one of them lacks."""
    for name in ("SOPClassUID", "SeriesInstanceUID"):
        if not header.get(name):
            raise InputError(f"has no {name}, it may be cut short or damaged")


def _choose(files: list[File], series: str) -> list[File]:
    """The files of the series that is named, or of the only one that holds images."""
    by_uid: dict[str, list[File]] = defaultdict(list)
    for file in files:
        by_uid[str(file.header.SeriesInstanceUID)].append(file)
    images = {
        uid: group for uid, group in by_uid.items() if any("Rows" in file.header for file in group)
    }
    if not images:
        raise InputError("holds no DICOM images")
    chosen = [uid for uid, group in images.items() if series in ("", uid, _number(group[0].header))]
    if len(chosen) == 1:
        return images[chosen[0]]
    listed = "; ".join(sorted(_describe(group) for group in images.values()))
    if not series:
        raise InputError(
            f"holds {len(images)} series, expected the column series to name one of them: {listed}"
        )
    raise InputError(
        f"the column series names {len(chosen) or 'none'} of the series there, expected one, by its number "
        f"or its SeriesInstanceUID: {listed}"
    )


def _describe(group: list[File]) -> str:
    """A series without anything that identifies: number, modality, slices and slice distance."""
    header = group[0].header
    count, apart = len(group), ""
    try:
        steps = geometry.steps(
            geometry.order([one for k, file in enumerate(group) for one in slices(file.header, k)])
        )
        if len(steps):
            count, apart = len(steps) + 1, f" {np.median(steps):.4g} mm apart"
    except Exception:  # it may be another than the series that is meant
        pass
    found = f"{count} slice{'s' * (count > 1)}{apart}"
    return f"number {_number(header) or 'of none'}, {datasets.word(header, 'Modality') or 'no modality'}, {found}"


def _number(header: "Dataset") -> str:
    try:
        return str(datasets.whole(header, "SeriesNumber"))
    except Exception:
        return ""


def _read_pixels(files: list[File], ordered: list[Slice]) -> np.ndarray:
    """The stored integers (slice, row, column)."""
    places: dict[int, list[int]] = defaultdict(list)
    for place, one in enumerate(ordered):
        places[one.number].append(place)
    stored = np.empty((len(ordered), *ordered[0].size), pixels.dtype(ordered[0].bits))
    for number, here in places.items():
        with datasets.reading(files[number].called):
            dataset = datasets.parse(files[number].path, pixels=True)
            for place, plane in zip(
                here, pixels.frames(dataset, [ordered[place] for place in here])
            ):
                stored[place] = plane
    return stored
