"""A series: the files of a folder that form one volume, selected, checked, sorted and read."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from graft.common.files import InputError
from graft.dicom import datasets
from graft.dicom.checks import check_image
from graft.dicom.elements import read_code, read_integer
from graft.dicom.geometry import slice_distances, sort_slices, volume_affine
from graft.dicom.pixels import RescaledVoxels, decode_frames, pixel_dtype
from graft.dicom.slices import Slice, check_one_volume, read_slices
from graft.grids.volume import ScanHeader

if TYPE_CHECKING:
    from pydicom import Dataset

MAX_VOXELS = 1 << 30  # of one volume


@dataclass(frozen=True)
class DicomFile:
    """A DICOM file, its name in errors, and its header without pixels."""

    path: Path
    shown_as: str
    header: "Dataset"


@dataclass(frozen=True)
class SelectedSeries:
    """The files of a series that forms one volume, without pixels.

    Attributes:
        files: of the series.
        ordered: its slices, in the order of the volume.
        affine: (4, 4), from indices to mm, LPS+.
        header: whose series it is.
    """

    files: list[DicomFile]
    ordered: list[Slice]
    affine: np.ndarray
    header: ScanHeader


def read_series(
    path: Path, series: str, burned_in: bool
) -> tuple[RescaledVoxels, np.ndarray, ScanHeader]:
    """Read the voxels (column, row, slice) of a series, their affine (4, 4) to mm, LPS+, and whose.

    Args:
        path: A folder, or one file with many frames.
        series: A SeriesNumber or SeriesInstanceUID, or "" if the folder has one series of images.
        burned_in: Whether images that may show a name in their pixels are read too.

    Raises:
        InputError: If the series cannot be selected or read correctly. The message names no file
            of the folder, because such names often contain those of patients.
    """
    found = _select_slices(path, series, burned_in)
    stored = _read_pixels(found.files, found.ordered)  # (slice, row, column)
    slope = np.array([one.slope for one in found.ordered])
    intercept = np.array([one.intercept for one in found.ordered])
    return RescaledVoxels(stored.T, slope, intercept), found.affine, found.header


def read_headers(path: Path, series: str) -> tuple[list["Dataset"], np.ndarray]:
    """Read the headers of the files of a series, and the affine that `read_series` returns.

    The headers say whose the series is. They must not be shown.

    Args:
        path: As for `read_series`.
        series: As for `read_series`.

    Raises:
        InputError: As `read_series`.
    """
    found = _select_slices(path, series, burned_in=True)
    return [file.header for file in found.files], found.affine


def _select_slices(path: Path, series: str, burned_in: bool) -> SelectedSeries:
    all_files = _find_dicom_files(path)
    with datasets.reading_dicom(f"{path}:"):
        files = _select_series(all_files, series)
        header = _read_header(files)
    slices: list[Slice] = []
    for number, file in enumerate(files):
        with datasets.reading_dicom(file.shown_as):
            check_image(file.header, burned_in)
            slices += read_slices(file.header, number)
    with datasets.reading_dicom(f"{path}:"):
        check_one_volume(slices)
        ordered = sort_slices(slices)
        affine = volume_affine(ordered)
        _check_size(ordered)
    return SelectedSeries(files, ordered, affine, header)


def _check_size(ordered: list[Slice]) -> None:
    size = ordered[0].size
    if len(ordered) * np.prod(size) > MAX_VOXELS:
        raise InputError(
            f"has {len(ordered)} slices of {size}, expected at most {MAX_VOXELS} voxels"
        )


def _find_dicom_files(path: Path) -> list[DicomFile]:
    """Every DICOM file at `path`, except directories of discs."""
    found = []
    paths = datasets.find_files(path)
    is_folder = path.is_dir()
    for number, file in enumerate(paths):
        shown_as = datasets.numbered_name(path, number, len(paths)) if is_folder else f"{path}:"
        with datasets.reading_dicom(shown_as):
            if not datasets.is_dicom(file):
                continue
            header = datasets.read_dataset(file, pixels=False)
            if header.file_meta.get("MediaStorageSOPClassUID") != datasets.DICOMDIR_UID:
                _check_identified(header)
                found.append(DicomFile(file, shown_as, header))
    return found


def _check_identified(header: "Dataset") -> None:
    """Raise InputError if a file belongs to no series: it may be a slice that a series lacks."""
    for name in ("SOPClassUID", "SeriesInstanceUID"):
        if not header.get(name):
            raise InputError(f"has no {name}, it may be cut short or damaged")


def _select_series(files: list[DicomFile], series: str) -> list[DicomFile]:
    """The files of the series that is named, or of the only one that has images."""
    by_uid: dict[str, list[DicomFile]] = defaultdict(list)
    for file in files:
        by_uid[str(file.header.SeriesInstanceUID)].append(file)
    with_images = {}
    for uid, group in by_uid.items():
        if any("Rows" in file.header for file in group):
            with_images[uid] = group
    if not with_images:
        raise InputError("contains no DICOM images")
    chosen = []
    for uid, group in with_images.items():
        if series in ("", uid, _series_number(group[0].header)):
            chosen.append(group)
    if len(chosen) == 1:
        return chosen[0]
    listed = "; ".join(sorted(map(_describe_series, with_images.values())))
    if not series:
        raise InputError(
            f"contains {len(with_images)} series, "
            f"expected the column series to name one of them: {listed}"
        )
    raise InputError(
        f"the column series names {len(chosen) or 'none'} of the series there, expected one, "
        f"by its number or its SeriesInstanceUID: {listed}"
    )


def _read_header(files: list[DicomFile]) -> ScanHeader:
    """Whose series it is; raises InputError if its files name two patients."""
    patients = {str(file.header.get("PatientID") or "").strip() for file in files}
    if len(patients) > 1:
        raise InputError(f"its slices have {len(patients)} PatientIDs, expected one")
    return ScanHeader(str(files[0].header.SeriesInstanceUID), patients.pop())


def _describe_series(group: list[DicomFile]) -> str:
    """A series in words that identify no person: number, modality, slices and slice distance."""
    header = group[0].header
    number = _series_number(header) or "of none"
    modality = read_code(header, "Modality") or "no modality"
    count = len(group)
    spaced = ""
    distances = _try_slice_distances(group)
    if len(distances):
        count = len(distances) + 1
        spaced = f" {np.median(distances):.4g} mm apart"
    slices = "1 slice" if count == 1 else f"{count} slices"
    return f"number {number}, {modality}, {slices}{spaced}"


def _try_slice_distances(group: list[DicomFile]) -> np.ndarray:
    """The slice distances of a series, none if it cannot be read: it may not be the one meant."""
    try:
        slices: list[Slice] = []
        for number, file in enumerate(group):
            slices += read_slices(file.header, number)
        return slice_distances(sort_slices(slices))
    except Exception:  # damaged data makes its reader raise anything
        return np.empty(0)


def _series_number(header: "Dataset") -> str:
    try:
        return str(read_integer(header, "SeriesNumber"))
    except Exception:  # damaged data makes its reader raise anything
        return ""


def _read_pixels(files: list[DicomFile], ordered: list[Slice]) -> np.ndarray:
    """The stored integers (slice, row, column)."""
    positions_of_file: dict[int, list[int]] = defaultdict(list)
    for position, one in enumerate(ordered):
        positions_of_file[one.file_number].append(position)
    first = ordered[0]
    stored = np.empty((len(ordered), *first.size), pixel_dtype(first.bits))
    for number, positions in positions_of_file.items():
        with datasets.reading_dicom(files[number].shown_as):
            dataset = datasets.read_dataset(files[number].path, pixels=True)
            wanted = [ordered[position] for position in positions]
            planes = decode_frames(dataset, wanted)
            for position, plane in zip(positions, planes, strict=True):
                stored[position] = plane
    return stored
