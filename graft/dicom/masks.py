"""Masks: one segment of a DICOM SEG, put on the grid of its image."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from graft.common.files import InputError
from graft.dicom import datasets
from graft.dicom.elements import read_code, read_integer
from graft.dicom.slices import find_group, frame_affine, functional_groups
from graft.grids.volume import LPS_TO_RAS, SAME_GRID_MM, Volume

if TYPE_CHECKING:
    from highdicom.seg import Segmentation
    from pydicom import Dataset

SEG_UID = "1.2.840.10008.5.1.4.1.1.66.4"
RTSTRUCT_UID = "1.2.840.10008.5.1.4.1.1.481.3"
BITS_PER_BYTE = 8


def read_segment(path: Path, segment: str, image: Volume) -> np.ndarray:
    """Read the voxels (I, J, K) uint8 of a segment, 1 inside, on the grid of its image.

    Args:
        path: A DICOM SEG, or a folder with one and nothing else.
        segment: A SegmentNumber or a SegmentLabel, or "" if there is only one segment.
        image: The scan that the mask belongs to.

    Raises:
        InputError: If the file is something else, has several segments and none is named, or lies
            on another grid than the image.
    """
    files = datasets.find_files(path)
    with datasets.reading_dicom(f"{path}:"):
        if len(files) != 1:
            raise InputError(f"contains {len(files)} files, expected one DICOM SEG")
        segmentation = _read_segmentation(files[0])
        number = _select_segment(segmentation, segment)
        voxels = np.zeros(image.voxels.shape, np.uint8)
        for frame in _frames_of_segment(segmentation, number):
            pixels = segmentation.get_stored_frame(frame + 1)  # (rows, columns)
            _mark_frame(frame_affine(segmentation, frame), pixels, image, voxels)
    return voxels


def _read_segmentation(path: Path) -> "Segmentation":
    """Read a BINARY segmentation; raises InputError if the file is none or is cut short."""
    dataset = datasets.read_dataset(path, pixels=True)
    sop_class = str(dataset.get("SOPClassUID", ""))
    if sop_class == RTSTRUCT_UID:
        raise InputError(
            "is an RTSTRUCT, contours without voxels; export the mask as DICOM SEG, NIfTI or NRRD"
        )
    if sop_class != SEG_UID:
        raise InputError("is no mask, expected DICOM SEG, NIfTI, MetaImage or NRRD")
    is_binary = read_code(dataset, "SegmentationType") == "BINARY"
    if not is_binary or read_integer(dataset, "BitsAllocated") != 1:
        raise InputError(
            "contains shares of voxels or labels, expected the SegmentationType BINARY"
        )
    _check_bits(dataset)
    from highdicom.seg import Segmentation

    return Segmentation.from_dataset(dataset, copy=False)


def _check_bits(dataset: "Dataset") -> None:
    """Raise InputError if there are fewer bits than the header gives, or if they are compressed."""
    rows = read_integer(dataset, "Rows")
    columns = read_integer(dataset, "Columns")
    frames = read_integer(dataset, "NumberOfFrames")
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        raise InputError("is compressed, expected a BINARY segmentation as its bits")
    length = len(dataset.get("PixelData", b""))
    if not 0 < rows * columns * frames <= BITS_PER_BYTE * length:
        raise InputError(f"has {length} bytes of PixelData, too few: it may be cut short")


def _select_segment(segmentation: "Segmentation", segment: str) -> int:
    """The number of the segment that is named; labels may be names, so errors only list numbers."""
    numbers = []
    labelled = []
    for item in segmentation.SegmentSequence:
        number = read_integer(item, "SegmentNumber")
        numbers.append(number)
        if segment in ("", str(item.get("SegmentLabel", "")).strip()):
            labelled.append(number)
    if segment in map(str, numbers):
        return int(segment)
    if len(labelled) == 1:
        return labelled[0]
    listed = ", ".join(map(str, numbers))
    missing = f" and not {segment}" if segment else ""
    raise InputError(
        f"contains the segments {listed}{missing}, expected the column segment to name one of them"
    )


def _frames_of_segment(segmentation: "Segmentation", number: int) -> list[int]:
    """The frames of a segment, counted from 0."""
    count = segmentation.NumberOfFrames
    described = len(segmentation.PerFrameFunctionalGroupsSequence)
    if described != count:
        raise InputError(f"has {count} frames and describes {described}")
    found = []
    for frame in range(described):
        groups = functional_groups(segmentation, frame)
        owner = find_group("SegmentIdentificationSequence", *groups)
        if read_integer(owner, "ReferencedSegmentNumber") == number:
            found.append(frame)
    return found


def _mark_frame(affine: np.ndarray, pixels: np.ndarray, image: Volume, voxels: np.ndarray) -> None:
    """Set the voxels that a frame marks, in any orientation relative to its image.

    Args:
        affine: (4, 4) from (column, row, 0) of the frame to mm, LPS+.
        pixels: (rows, columns), above 0 inside.
        image: The scan whose grid the frame must lie on.
        voxels: (I, J, K), changed in place.

    Raises:
        InputError: If the frame lies on another grid, or marks voxels outside the image.
    """
    to_index = np.linalg.inv(image.affine) @ (LPS_TO_RAS @ affine)  # to an index of the image
    steps = np.rint(to_index[:3, :2])  # (3, 2): of a column and of a row
    start = np.rint(to_index[:3, 3])
    last_row, last_column = pixels.shape[0] - 1, pixels.shape[1] - 1
    corners = np.array([(0, 0), (0, last_row), (last_column, 0), (last_column, last_row)])
    off = corners @ (to_index[:3, :2] - steps).T + to_index[:3, 3] - start  # (4, 3) voxels
    off_mm = np.abs(off @ image.affine[:3, :3].T).max()
    if np.abs(steps).sum() != 2 or off_mm > SAME_GRID_MM:
        raise InputError(f"lies on another grid than {image.path.name}, expected its voxels")
    rows, columns = np.nonzero(pixels)
    marked = np.stack([columns, rows], axis=1) @ steps.T + start  # (marked, 3)
    index = marked.astype(int)
    is_inside = (index >= 0) & (index < voxels.shape)
    if not is_inside.all():
        raise InputError(f"marks voxels outside {image.path.name}, expected its grid")
    voxels[tuple(index.T)] = 1
