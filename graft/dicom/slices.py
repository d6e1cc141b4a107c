"""Slices: one plane each, from a file of its own or from a frame of one that has many, and where it lies."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from graft.common.files import InputError
from graft.dicom.checks import is_scout, rescale
from graft.dicom.datasets import numbers, whole, word

if TYPE_CHECKING:
    from pydicom import Dataset

    Said = Dataset | dict  # where elements are looked up; empty where nothing is said

Where = tuple[
    np.ndarray, np.ndarray, np.ndarray
]  # position (3,), orientation (6,) and pixel spacing (2,)

UNIT = 1e-3  # how far a direction's length may be from 1, and the product of two from 0: they are rounded text
SAME = 1e-4  # how far numbers of two slices may differ and be the same
ALIKE = {  # what slices of one volume share, and how it is spoken of
    "size": "their rows and columns",
    "bits": "the bits of their pixels",
    "modality": "their modality",
    "frame": "their frame of reference",
    "orientation": "their orientation",
    "spacing": "their pixel spacing",
}


@dataclass(frozen=True)
class Slice:
    """A plane: `position` (3,) of the middle of its first pixel in mm, LPS+; `orientation` (6,) of rows and columns.

    `spacing` is (between rows, between columns) in mm, and a pixel's value is slope · stored + intercept.
    """

    number: int  # of its file among those of the series
    index: int  # of its frame in the file
    size: tuple[int, int]
    bits: tuple[int, int]  # allocated, and 1 where they have a sign
    modality: str
    frame: str  # of reference: a UID, not to be shown
    position: np.ndarray
    orientation: np.ndarray
    spacing: np.ndarray
    slope: float
    intercept: float


def slices(dataset: "Dataset", number: int) -> list[Slice]:
    """The slices of one file that `checks.check` let pass, without their pixels.

    Raises InputError where one of them does not say where it lies, or what its values mean.
    """
    frames = whole(dataset, "NumberOfFrames") if "NumberOfFrames" in dataset else 1
    if "PerFrameFunctionalGroupsSequence" not in dataset:
        if frames != 1:
            raise InputError(f"has {frames} frames and does not say where each lies")
        return [_slice(dataset, number, 0, _position(dataset, dataset, dataset), dataset)]
    if len(dataset.PerFrameFunctionalGroupsSequence) != frames:
        raise InputError(
            f"has {frames} frames and says where {len(dataset.PerFrameFunctionalGroupsSequence)} lie"
        )
    return [_frame(dataset, number, index) for index in range(frames)]


def check_alike(found: list[Slice]) -> None:
    """Raise InputError where two slices cannot be of one volume."""
    for name, spoken in ALIKE.items():
        first = getattr(found[0], name)
        for other in found[1:]:
            value = getattr(other, name)
            same = (
                np.allclose(value, first, rtol=0, atol=SAME)
                if isinstance(first, np.ndarray)
                else value == first
            )
            if not same:
                raise InputError(f"its slices differ in {spoken}, expected those of one volume")


def plane(dataset: "Dataset", index: int) -> np.ndarray:
    """The matrix (4, 4) from (column, row, 0) of a frame of an enhanced image to mm, LPS+; its third column is 0."""
    position, orientation, (rows_apart, columns_apart) = _where(*places(dataset, index))
    matrix = np.diag([0.0, 0, 0, 1])
    matrix[:3, 0], matrix[:3, 1] = orientation[:3] * columns_apart, orientation[3:] * rows_apart
    matrix[:3, 3] = position
    return matrix


def places(dataset: "Dataset", index: int) -> tuple["Dataset", "Said"]:
    """Where functional groups of a frame stand: its own, then those that all frames share (PS3.3, C.7.6.16)."""
    return dataset.PerFrameFunctionalGroupsSequence[index], (
        dataset.get("SharedFunctionalGroupsSequence") or [{}]
    )[0]


def part(name: str, *places: "Said") -> "Said":
    """A functional group from the first place that has it; empty where none has."""
    return next((place.get(name)[0] for place in places if place.get(name)), {})


def _where(*places: "Said") -> Where:
    return _position(
        part("PlanePositionSequence", *places),
        part("PlaneOrientationSequence", *places),
        part("PixelMeasuresSequence", *places),
    )


def _position(place: "Said", turn: "Said", measures: "Said") -> Where:
    """Position (3,), orientation (6,) and pixel spacing (2,), as numbers that can be right."""
    orientation = numbers(turn, "ImageOrientationPatient", 6)
    row, column = orientation[:3], orientation[3:]
    if np.abs([row @ row - 1, column @ column - 1, row @ column]).max() > UNIT:
        raise InputError(
            "has an ImageOrientationPatient that is not two directions at a right angle"
        )
    spacing = numbers(measures, "PixelSpacing", 2)
    if (spacing <= 0).any():
        raise InputError("has a PixelSpacing that is not above 0")
    return numbers(place, "ImagePositionPatient", 3), orientation, spacing


def _frame(dataset: "Dataset", number: int, index: int) -> Slice:
    said = places(dataset, index)
    for name in ("CTImageFrameTypeSequence", "MRImageFrameTypeSequence"):
        if is_scout(part(name, *said).get("FrameType")):
            raise InputError(f"has a localizer as frame {index + 1}, expected slices of a volume")
    return _slice(
        dataset, number, index, _where(*said), part("PixelValueTransformationSequence", *said)
    )


def _slice(dataset: "Dataset", number: int, index: int, where: Where, values: "Said") -> Slice:
    modality = word(dataset, "Modality")
    position, orientation, spacing = where
    slope, intercept = rescale(values, modality)
    return Slice(
        number=number,
        index=index,
        size=(whole(dataset, "Rows"), whole(dataset, "Columns")),
        bits=(whole(dataset, "BitsAllocated"), whole(dataset, "PixelRepresentation")),
        modality=modality,
        frame=str(dataset.get("FrameOfReferenceUID", "")),
        position=position,
        orientation=orientation,
        spacing=spacing,
        slope=slope,
        intercept=intercept,
    )
