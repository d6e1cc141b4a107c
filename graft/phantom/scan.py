"""Where the voxels of a scan lie, whatever kind of scanner it comes from."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

FIELD_OF_VIEW_MM = (66.0, 78.0)
FINE_SLICE_MM = 1.1  # slices are rendered about so thin, then averaged to the scanner's thickness
ORIENTATIONS = {"RAS": (1, 1, 1), "LPS": (-1, -1, 1), "LAS": (-1, 1, 1)}
OBLIQUE = 0.4  # share of the scans that are tilted
TILT_DEGREES = (2.0, 9.0)
OFFSET_MM = (
    150.0  # the field of view lies at most so far from the scanner's origin, along each axis
)


@dataclass(frozen=True)
class Site:
    """One hospital's protocol; pairs are the ends of a uniform draw, longer tuples are choices."""

    share: float  # of the patients
    in_plane_mm: tuple[float, ...]
    thickness_mm: tuple[float, ...]


@dataclass(frozen=True)
class Scan:
    """One acquisition. `directions` (3, 3) has the array's axes, in RAS+, as columns."""

    site: str
    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]  # mm
    directions: np.ndarray  # (3, 3)
    centre: np.ndarray  # (3,) middle of the field of view, mm in RAS+

    @property
    def affine(self) -> np.ndarray:
        """(4, 4) from voxel indices to mm in RAS+."""
        affine = np.eye(4)
        affine[:3, :3] = self.directions * np.array(self.spacing)
        affine[:3, 3] = self.centre - affine[:3, :3] @ ((np.array(self.shape) - 1) / 2)
        return affine

    @property
    def slices_in_one(self) -> int:
        """How many fine slices are rendered for one slice of the scan."""
        return max(1, round(self.spacing[2] / FINE_SLICE_MM))

    def axes(self) -> list[np.ndarray]:
        """The fine voxels' positions along each of the array's axes, mm from the middle."""
        counts = (*self.shape[:2], self.shape[2] * self.slices_in_one)
        steps = (*self.spacing[:2], self.spacing[2] / self.slices_in_one)
        return [
            ((np.arange(count) - (count - 1) / 2) * step).astype(np.float32)
            for count, step in zip(counts, steps, strict=True)
        ]

    def average(self, fine: np.ndarray) -> np.ndarray:
        """Fine slices (X, Y, Z * slices_in_one) averaged to those of the scan (X, Y, Z)."""
        return fine.reshape(*self.shape, self.slices_in_one).mean(-1)


def draw_geometry(rng: np.random.Generator, sites: Mapping[str, Site]) -> Scan:
    """Draw a site and where the voxels of one acquisition there lie."""
    name = rng.choice(list(sites), p=[site.share for site in sites.values()]).item()
    site = sites[name]
    in_plane, thickness = rng.choice(site.in_plane_mm), rng.choice(site.thickness_mm)
    spacing = (float(in_plane), float(in_plane), float(thickness))
    field = rng.uniform(*FIELD_OF_VIEW_MM)
    directions = np.diag(ORIENTATIONS[rng.choice(list(ORIENTATIONS)).item()]).astype(float)
    if rng.random() < OBLIQUE:
        directions = (
            _rotation(rng.standard_normal(3), np.radians(rng.uniform(*TILT_DEGREES))) @ directions
        )
    return Scan(
        site=name,
        shape=tuple(round(field / step) for step in spacing),
        spacing=spacing,
        directions=directions,
        centre=rng.uniform(-OFFSET_MM, OFFSET_MM, 3).round(1),
    )


def _rotation(axis: np.ndarray, angle: float) -> np.ndarray:
    """(3, 3) rotation about `axis` by `angle` radians (Rodrigues)."""
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
