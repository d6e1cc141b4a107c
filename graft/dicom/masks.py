"""Masks: one segment of a DICOM SEG, put on the grid of its image."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from graft.common.files import InputError
from graft.data.volume import LPS_TO_RAS, SAME_MM, Volume
from graft.dicom import datasets
from graft.dicom.slices import part, places, plane

if TYPE_CHECKING:
    from highdicom.seg import Segmentation

SEG = "1.2.840.10008.5.1.4.1.1.66.4"
STRUCTURES = "1.2.840.10008.5.1.4.1.1.481.3"
BITS_A_BYTE = 8


def read_segment(path: Path, segment: int | None, image: Volume) -> np.ndarray:
    """The voxels (I, J, K) uint8 of a segment, 1 inside, on the grid of the image.

    `path` is a DICOM SEG, or a folder that holds one and nothing else. `segment` is a SegmentNumber, or None where
    there is one alone.

    Raises InputError where the file is another thing, holds several segments and none is named, or lies on another
    grid than the image.
    """
    files = datasets.find(path)
    with datasets.reading(f"{path}:"):
        if len(files) != 1:
            raise InputError(f"holds {len(files)} files, expected one DICOM SEG")
        found = _parse(files[0])
        number = _choose(found, segment)
        voxels = np.zeros(image.voxels.shape, np.uint8)
        for frame, pixels in _frames(found, number):
            _place(found, frame, pixels, image, voxels)
    return voxels


def _parse(path: Path) -> "Segmentation":
    """The segmentation; raises InputError where it is none, or names more pixels than it holds."""
    dataset = datasets.parse(path, pixels=True)
    kind = str(dataset.get("SOPClassUID", ""))
    if kind == STRUCTURES:
        raise InputError(
            "is an RTSTRUCT, contours without voxels; export the mask as DICOM SEG, NIfTI or NRRD"
        )
    if kind != SEG:
        raise InputError("is no mask, expected DICOM SEG, NIfTI, MetaImage or NRRD")
    if (
        datasets.word(dataset, "SegmentationType") != "BINARY"
        or datasets.whole(dataset, "BitsAllocated") != 1
    ):
        raise InputError("holds shares of voxels or labels, expected the SegmentationType BINARY")
    rows, columns, frames = (
        datasets.whole(dataset, name) for name in ("Rows", "Columns", "NumberOfFrames")
    )
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        raise InputError("is compressed, expected a BINARY segmentation as its bits")
    if not 0 < rows * columns * frames <= BITS_A_BYTE * len(dataset.get("PixelData", b"")):
        raise InputError(
            f"has {len(dataset.get('PixelData', b''))} bytes of PixelData, too few: it may be cut short"
        )
    from highdicom.seg import Segmentation

    return Segmentation.from_dataset(dataset, copy=False)


def _choose(found: "Segmentation", segment: int | None) -> int:
    numbers = [int(number) for number in found.segment_numbers]
    if segment is None and len(numbers) == 1:
        return numbers[0]
    if segment not in numbers:
        listed = ", ".join(map(str, numbers))
        wrong = f"holds the segments {listed}" + ("" if segment is None else f" and not {segment}")
        raise InputError(f"{wrong}, expected the column segment to name one of them")
    return segment


def _frames(found: "Segmentation", number: int) -> list[tuple[int, np.ndarray]]:
    """The frames of a segment with their indices: pixels (rows, columns)."""
    said = found.PerFrameFunctionalGroupsSequence
    if len(said) != found.NumberOfFrames:
        raise InputError(f"has {found.NumberOfFrames} frames and says of {len(said)} what they are")
    owners = [
        part("SegmentIdentificationSequence", *places(found, index)) for index in range(len(said))
    ]
    return [
        (index, found.get_stored_frame(index + 1))
        for index, owner in enumerate(owners)
        if datasets.whole(owner, "ReferencedSegmentNumber") == number
    ]


def _place(
    found: "Segmentation", frame: int, pixels: np.ndarray, image: Volume, voxels: np.ndarray
) -> None:
    """Set the voxels that a frame marks; its pixels must lie on voxels of the image, whichever way they are turned."""
    affine = LPS_TO_RAS @ plane(found, frame)
    to_index = np.linalg.inv(image.affine)
    matrix = to_index @ affine  # from (column, row, 0) of the frame to an index of the image
    steps, start = np.rint(matrix[:3, :2]), np.rint(matrix[:3, 3])
    corners = np.array(
        [[column, row] for column in (0, pixels.shape[1] - 1) for row in (0, pixels.shape[0] - 1)]
    )
    beside = corners @ (matrix[:3, :2] - steps).T + matrix[:3, 3] - start  # voxels
    if np.abs(steps).sum() != 2 or np.abs(beside @ image.affine[:3, :3].T).max() > SAME_MM:
        raise InputError(f"lies on another grid than {image.path.name}, expected its voxels")
    rows, columns = np.nonzero(pixels)
    index = (np.stack([columns, rows], axis=1) @ steps.T + start).astype(int)  # (marked, 3)
    if len(index) and not ((index >= 0) & (index < voxels.shape)).all():
        raise InputError(f"marks voxels outside {image.path.name}, expected its grid")
    voxels[tuple(index.T)] = 1
