"""Where slices lie: their order along the normal, and the affine that takes voxel indices to mm."""

import numpy as np

from graft.common.files import InputError
from graft.dicom.slices import Slice

ROUNDED_MM = 0.01  # positions are text, often with two decimals
UNEVEN = 0.02  # of the slice distance, by which a slice may lie beside its place
STEEPEST = np.cos(np.deg2rad(40))  # a gantry tilts by 30 degrees at most


def order(found: list[Slice]) -> list[Slice]:
    """Sorted by position along the normal, the cross product of the directions of rows and columns."""
    normal = _normal(found[0])
    return sorted(found, key=lambda one: one.position @ normal)


def steps(ordered: list[Slice]) -> np.ndarray:
    """The distances (K - 1,) in mm from a slice to the next, along the normal of the first."""
    return np.diff([one.position @ _normal(ordered[0]) for one in ordered])


def affine(ordered: list[Slice]) -> np.ndarray:
    """The matrix (4, 4) from indices (column, row, slice) to mm, LPS+ (PS3.3, C.7.6.2.1.1).

    The third column is the mean step from a slice to the next, so that a tilted gantry gives a sheared grid. The
    slice distance is taken from positions alone, as SliceThickness means another thing.

    Raises InputError where two slices lie at one position, their distances are uneven, or they are shifted against
    each other by more than a tilt explains.
    """
    if len(ordered) < 2:
        raise InputError(
            "has one slice, expected two at least, as their positions give the slice distance"
        )
    places = np.stack([one.position for one in ordered])  # (K, 3)
    apart = steps(ordered)
    if apart.min() < ROUNDED_MM:
        twice = int((apart < ROUNDED_MM).sum())
        raise InputError(
            f"has {twice} slices at the position of another, expected one a position: "
            "mind phases, echoes and copies in one series"
        )
    step = (places[-1] - places[0]) / (len(places) - 1)
    beside = np.linalg.norm(
        places - (places[0] + np.arange(len(places))[:, None] * step), axis=1
    ).max()
    if beside > ROUNDED_MM + UNEVEN * np.median(apart):
        raise InputError(
            f"has slices {apart.min():.4g} to {apart.max():.4g} mm apart, or shifted sideways ({beside:.3g} mm beside "
            "their place), expected even steps: slices may be missing"
        )
    if step @ _normal(ordered[0]) < STEEPEST * np.linalg.norm(step):
        raise InputError(
            "has slices shifted sideways by more than any gantry tilts, expected 40 degrees at most"
        )
    rows_apart, columns_apart = ordered[0].spacing
    matrix = np.eye(4)
    matrix[:3, 0] = ordered[0].orientation[:3] * columns_apart
    matrix[:3, 1] = ordered[0].orientation[3:] * rows_apart
    matrix[:3, 2] = step
    matrix[:3, 3] = places[0]
    return matrix


def _normal(one: Slice) -> np.ndarray:
    return np.cross(one.orientation[:3], one.orientation[3:])
