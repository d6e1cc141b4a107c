"""Slices: planes with their position, from files of their own or frames of an enhanced file."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graft.common.files import InputError
from graft.dicom.checks import is_localizer, read_rescale
from graft.dicom.elements import count_frames, read_code, read_integer, read_numbers

if TYPE_CHECKING:
    from pydicom import Dataset

    from graft.dicom.elements import Elements

UNIT_TOLERANCE = 1e-3  # of the length of a direction and the product of two: they are rounded text
SAME = 1e-4  # numbers of two slices are the same if they differ by at most this much
# What the slices of one volume share, and its name in errors.
SHARED = {
    "size": "their rows and columns",
    "bits": "the bits of their pixels",
    "modality": "their modality",
    "frame_of_reference": "their frame of reference",
    "orientation": "their orientation",
    "spacing": "their pixel spacing",
}


class PlaneGeometry(NamedTuple):
    """A plane in space: the middle of its first pixel, its directions and its pixel spacing."""

    position: np.ndarray  # (3,) mm, LPS+
    orientation: np.ndarray  # (6,), the direction of rows, then that of columns
    spacing: np.ndarray  # (2,) mm, between rows, then between columns


@dataclass(frozen=True)
class Slice:
    """A plane without its pixels, whose values are slope · stored + intercept."""

    file_number: int  # among the files of the series
    frame_number: int  # in the file, from 0
    size: tuple[int, int]  # rows and columns
    bits: tuple[int, int]  # allocated, and 1 for signed values
    modality: str
    frame_of_reference: str  # a UID, which must not be shown
    position: np.ndarray  # as in PlaneGeometry
    orientation: np.ndarray
    spacing: np.ndarray
    slope: float
    intercept: float


def read_slices(dataset: "Dataset", file_number: int) -> list[Slice]:
    """Read the slices of one file that passed `check_image`, without their pixels.

    Raises InputError if a slice does not give its position or the unit of its values.
    """
    count = count_frames(dataset)
    if "PerFrameFunctionalGroupsSequence" not in dataset:
        if count != 1:
            raise InputError(f"has {count} frames and no position for each")
        geometry = _read_geometry(dataset, dataset, dataset)
        return [_make_slice(dataset, file_number, 0, geometry, dataset)]
    described = len(dataset.PerFrameFunctionalGroupsSequence)
    if described != count:
        raise InputError(f"has {count} frames and positions of {described}")
    return [_read_frame(dataset, file_number, frame) for frame in range(count)]


def check_one_volume(slices: list[Slice]) -> None:
    """Raise InputError if two slices cannot belong to one volume."""
    for name, spoken in SHARED.items():
        expected = getattr(slices[0], name)
        for other in slices[1:]:
            if not _is_same(getattr(other, name), expected):
                raise InputError(f"its slices differ in {spoken}, expected those of one volume")


def frame_affine(dataset: "Dataset", frame: int) -> np.ndarray:
    """The matrix (4, 4) from (column, row, 0) of a frame of an enhanced image to mm, LPS+."""
    geometry = _read_frame_geometry(*functional_groups(dataset, frame))
    rows_apart, columns_apart = geometry.spacing
    matrix = np.diag([0.0, 0, 0, 1])
    matrix[:3, 0] = geometry.orientation[:3] * columns_apart
    matrix[:3, 1] = geometry.orientation[3:] * rows_apart
    matrix[:3, 3] = geometry.position
    return matrix


def functional_groups(dataset: "Dataset", frame: int) -> tuple["Elements", "Elements"]:
    """The functional groups of a frame: its own, and those that all frames share.

    See PS3.3, C.7.6.16.
    """
    shared = dataset.get("SharedFunctionalGroupsSequence") or [{}]
    return dataset.PerFrameFunctionalGroupsSequence[frame], shared[0]


def find_group(name: str, *places: "Elements") -> "Elements":
    """The functional group `name` of the first place that has it, empty if none has."""
    for place in places:
        found = place.get(name)
        if found:
            return found[0]
    return {}


def _is_same(value: object, expected: object) -> bool:
    if isinstance(value, np.ndarray) and isinstance(expected, np.ndarray):
        return np.allclose(value, expected, rtol=0, atol=SAME)
    return value == expected


def _read_frame_geometry(*places: "Elements") -> PlaneGeometry:
    return _read_geometry(
        find_group("PlanePositionSequence", *places),
        find_group("PlaneOrientationSequence", *places),
        find_group("PixelMeasuresSequence", *places),
    )


def _read_geometry(
    position: "Elements", orientation: "Elements", measures: "Elements"
) -> PlaneGeometry:
    """Read the geometry of a plane from the places that have its three parts."""
    directions = read_numbers(orientation, "ImageOrientationPatient", 6)
    row, column = directions[:3], directions[3:]
    faults = np.abs([row @ row - 1, column @ column - 1, row @ column])
    if faults.max() > UNIT_TOLERANCE:
        raise InputError(
            "has an ImageOrientationPatient that is not two directions at a right angle"
        )
    spacing = read_numbers(measures, "PixelSpacing", 2)
    if (spacing <= 0).any():
        raise InputError("has a PixelSpacing that is not above 0")
    return PlaneGeometry(read_numbers(position, "ImagePositionPatient", 3), directions, spacing)


def _read_frame(dataset: "Dataset", file_number: int, frame: int) -> Slice:
    groups = functional_groups(dataset, frame)
    for name in ("CTImageFrameTypeSequence", "MRImageFrameTypeSequence"):
        if is_localizer(find_group(name, *groups).get("FrameType")):
            raise InputError(f"has a localizer as frame {frame + 1}, expected slices of a volume")
    geometry = _read_frame_geometry(*groups)
    values = find_group("PixelValueTransformationSequence", *groups)
    return _make_slice(dataset, file_number, frame, geometry, values)


def _make_slice(
    dataset: "Dataset", file_number: int, frame: int, geometry: PlaneGeometry, values: "Elements"
) -> Slice:
    modality = read_code(dataset, "Modality")
    slope, intercept = read_rescale(values, modality)
    return Slice(
        file_number=file_number,
        frame_number=frame,
        size=(read_integer(dataset, "Rows"), read_integer(dataset, "Columns")),
        bits=(
            read_integer(dataset, "BitsAllocated"),
            read_integer(dataset, "PixelRepresentation"),
        ),
        modality=modality,
        frame_of_reference=str(dataset.get("FrameOfReferenceUID", "")),
        position=geometry.position,
        orientation=geometry.orientation,
        spacing=geometry.spacing,
        slope=slope,
        intercept=intercept,
    )
