"""The geometry of a series: the order of its slices, and the affine from voxel indices to mm."""

import numpy as np

from graft.common.files import InputError
from graft.dicom.slices import Slice

ROUNDING_MM = 0.01  # positions are text, often with two decimals
UNEVEN = 0.02  # of the slice distance, by which a slice may lie off its expected place
STEEPEST = np.cos(np.deg2rad(40))  # a gantry tilts by 30 degrees at most


def sort_slices(slices: list[Slice]) -> list[Slice]:
    """Sort by position along the normal, the cross product of the row and column directions."""
    normal = _normal(slices[0])
    return sorted(slices, key=lambda one: one.position @ normal)


def slice_distances(ordered: list[Slice]) -> np.ndarray:
    """The distances (K - 1,) in mm between neighbours, along the normal of the first slice."""
    normal = _normal(ordered[0])
    return np.diff([one.position @ normal for one in ordered])


def volume_affine(ordered: list[Slice]) -> np.ndarray:
    """The matrix (4, 4) from indices (column, row, slice) to mm, LPS+ (PS3.3, C.7.6.2.1.1).

    The third column is the mean step between neighbours, so a tilted gantry gives a sheared grid.
    The slice distance comes from the positions only: SliceThickness means something else.

    Raises InputError if there is one slice, if two have the same position, if their distances are
    uneven, or if they are shifted sideways by more than a gantry tilts.
    """
    if len(ordered) < 2:
        raise InputError(
            "has one slice, expected at least two, as their positions give the slice distance"
        )
    positions = np.stack([one.position for one in ordered])  # (K, 3)
    step = (positions[-1] - positions[0]) / (len(positions) - 1)
    _check_distances(slice_distances(ordered), positions, step)
    if step @ _normal(ordered[0]) < STEEPEST * np.linalg.norm(step):
        raise InputError(
            "has slices shifted sideways by more than any gantry tilts, expected at most 40 degrees"
        )
    rows_apart, columns_apart = ordered[0].spacing
    matrix = np.eye(4)
    matrix[:3, 0] = ordered[0].orientation[:3] * columns_apart
    matrix[:3, 1] = ordered[0].orientation[3:] * rows_apart
    matrix[:3, 2] = step
    matrix[:3, 3] = positions[0]
    return matrix


def _check_distances(distances: np.ndarray, positions: np.ndarray, step: np.ndarray) -> None:
    """Raise InputError if the positions (K, 3) are not evenly spaced by `step` (3,)."""
    smallest, largest = distances.min(), distances.max()
    if smallest < ROUNDING_MM:
        repeated = int((distances < ROUNDING_MM).sum())
        raise InputError(
            f"has {repeated} slices at the position of another, expected one per position: "
            "the series may mix phases, echoes or copies"
        )
    expected = positions[0] + np.arange(len(positions))[:, None] * step  # (K, 3)
    off = np.linalg.norm(positions - expected, axis=1).max()
    if off > ROUNDING_MM + UNEVEN * np.median(distances):
        raise InputError(
            f"has slices {smallest:.4g} to {largest:.4g} mm apart, or shifted sideways "
            f"({off:.3g} mm off their place), expected even steps: slices may be missing"
        )


def _normal(one: Slice) -> np.ndarray:
    return np.cross(one.orientation[:3], one.orientation[3:])
