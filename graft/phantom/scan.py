"""Where the voxels of a scan are, for any kind of scanner."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

FIELD_OF_VIEW_MM = (66.0, 78.0)  # large enough for a patch of 32 mm around lesions off the centre
# Slices are rendered about this thin and then averaged to the scanner's thickness, which gives
# partial volume effects as in a real scan.
FINE_SLICE_MM = 1.1
ORIENTATIONS = {"RAS": (1, 1, 1), "LPS": (-1, -1, 1), "LAS": (-1, 1, 1)}  # all are in common use
OBLIQUE = 0.4  # share of the scans that are tilted
TILT_DEGREES = (2.0, 9.0)  # enough to test that the affine is used, small as in practice
MAX_OFFSET_MM = 150.0  # of the field of view from the scanner's origin, along each axis


@dataclass(frozen=True)
class Site:
    """The protocol of one hospital: choices are drawn with equal chance, ranges uniformly."""

    share: float  # of the patients
    in_plane_mm: tuple[float, ...]  # choices
    thickness_mm: tuple[float, ...]  # choices


@dataclass(frozen=True)
class Scan:
    """One acquisition; the columns of `directions` are the array's axes in RAS+."""

    site: str
    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]  # mm
    directions: np.ndarray  # (3, 3)
    centre: np.ndarray  # (3,) centre of the field of view, mm in RAS+

    @property
    def affine(self) -> np.ndarray:
        """The matrix (4, 4) from voxel indices to mm in RAS+."""
        steps = self.directions * np.array(self.spacing)  # (3, 3) mm per voxel
        middle = (np.array(self.shape) - 1) / 2  # (3,) voxel index of the centre
        affine = np.eye(4)
        affine[:3, :3] = steps
        affine[:3, 3] = self.centre - steps @ middle
        return affine

    @property
    def fine_per_slice(self) -> int:
        """How many fine slices are rendered for one slice of the scan."""
        return max(1, round(self.spacing[2] / FINE_SLICE_MM))

    def fine_axes(self) -> list[np.ndarray]:
        """The positions of the fine voxels along each axis, in mm from the centre."""
        columns, rows, slices = self.shape
        dx, dy, dz = self.spacing
        positions = [
            centred_positions(columns, dx),
            centred_positions(rows, dy),
            centred_positions(slices * self.fine_per_slice, dz / self.fine_per_slice),
        ]
        return [along_axis.astype(np.float32) for along_axis in positions]

    def average_slices(self, fine: np.ndarray) -> np.ndarray:
        """Average fine slices (X, Y, Z * fine_per_slice) to those of the scan (X, Y, Z)."""
        slices = [fine[:, :, start :: self.fine_per_slice] for start in range(self.fine_per_slice)]
        return sum(slices[1:], slices[0]) / len(slices)


def centred_positions(count: int, step: float) -> np.ndarray:
    """`count` positions at a distance of `step` around 0."""
    return (np.arange(count) - (count - 1) / 2) * step


def draw_geometry(rng: np.random.Generator, sites: Mapping[str, Site]) -> Scan:
    """Draw a site and where the voxels of one acquisition there are."""
    name = rng.choice(list(sites), p=[site.share for site in sites.values()]).item()
    site = sites[name]
    in_plane = float(rng.choice(site.in_plane_mm))
    thickness = float(rng.choice(site.thickness_mm))
    field_of_view = rng.uniform(*FIELD_OF_VIEW_MM)
    orientation = rng.choice(list(ORIENTATIONS)).item()
    directions = np.diag(ORIENTATIONS[orientation]).astype(float)
    if rng.random() < OBLIQUE:
        axis = rng.standard_normal(3)
        angle = np.radians(rng.uniform(*TILT_DEGREES))
        directions = _rotation(axis, angle) @ directions
    pixels = round(field_of_view / in_plane)
    slices = round(field_of_view / thickness)
    return Scan(
        site=name,
        shape=(pixels, pixels, slices),
        spacing=(in_plane, in_plane, thickness),
        directions=directions,
        centre=rng.uniform(-MAX_OFFSET_MM, MAX_OFFSET_MM, 3).round(1),
    )


def _rotation(axis: np.ndarray, angle: float) -> np.ndarray:
    """The rotation (3, 3) about `axis` by `angle` radians (Rodrigues' formula)."""
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array(
        [
            [0, -z, y],
            [z, 0, -x],
            [-y, x, 0],
        ]
    )
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
