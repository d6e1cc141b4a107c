"""Two sites and their scanners: where the voxels lie, and what the scanner does to what it sees."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

FIELD_OF_VIEW_MM = (66.0, 78.0)
FINE_SLICE_MM = 1.1  # slices are rendered about so thin, then averaged to the scanner's thickness
ORIENTATIONS = {"RAS": (1, 1, 1), "LPS": (-1, -1, 1), "LAS": (-1, 1, 1)}
OBLIQUE = 0.4  # share of the scans that are tilted
TILT_DEGREES = (2.0, 9.0)
OFFSET_MM = 150.0  # the field of view lies at most so far from the scanner's origin, along each axis
NOISE_HU = {"lung": 24.0, "liver": 9.0}  # standard deviation at a site whose noise is 1
SHARPENING_MM = 1.2  # width of the unsharp mask of a sharp kernel
HU_RANGE = (-1024, 3071)


@dataclass(frozen=True)
class Site:
    """One hospital's protocol; pairs are the ends of a uniform draw, longer tuples are choices."""

    share: float  # of the patients
    in_plane_mm: tuple[float, ...]
    thickness_mm: tuple[float, ...]
    blur_mm: float  # standard deviation of the kernel
    sharpening: float  # weight of the unsharp mask
    noise: tuple[float, float]  # of NOISE_HU
    enhancement: tuple[float, float]  # contrast agent in the tissue: 0 native, 1 portal venous


SITES = {
    "site-a": Site(0.7, (0.8, 0.9, 1.0), (1.0, 1.25, 1.5, 2.0), 0.6, 0.0, (0.8, 1.2), (0.8, 1.0)),
    "site-b": Site(0.3, (0.85, 0.95), (2.0, 2.5, 3.0), 0.4, 0.6, (1.5, 2.1), (0.3, 0.55)),
}


@dataclass(frozen=True)
class Scan:
    """One acquisition. `directions` (3, 3) has the array's axes, in RAS+, as columns."""

    site: str
    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]  # mm
    directions: np.ndarray  # (3, 3)
    centre: np.ndarray  # (3,) middle of the field of view, mm in RAS+
    noise_hu: float
    enhancement: float

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


def draw_scan(rng: np.random.Generator, organ: str) -> Scan:
    """Draw a site and one acquisition there."""
    name = rng.choice(list(SITES), p=[site.share for site in SITES.values()]).item()
    site = SITES[name]
    in_plane, thickness = rng.choice(site.in_plane_mm), rng.choice(site.thickness_mm)
    spacing = (float(in_plane), float(in_plane), float(thickness))
    field = rng.uniform(*FIELD_OF_VIEW_MM)
    directions = np.diag(ORIENTATIONS[rng.choice(list(ORIENTATIONS)).item()]).astype(float)
    if rng.random() < OBLIQUE:
        directions = _rotation(rng.standard_normal(3), np.radians(rng.uniform(*TILT_DEGREES))) @ directions
    return Scan(
        site=name,
        shape=tuple(round(field / step) for step in spacing),
        spacing=spacing,
        directions=directions,
        centre=rng.uniform(-OFFSET_MM, OFFSET_MM, 3).round(1),
        noise_hu=NOISE_HU[organ] * rng.uniform(*site.noise),
        enhancement=rng.uniform(*site.enhancement),
    )


def acquire(scan: Scan, tissue: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What the scanner makes of `tissue` (X, Y, Z * slices_in_one) HU: an int16 volume (X, Y, Z) in HU."""
    site = SITES[scan.site]
    volume = tissue.reshape(*scan.shape, scan.slices_in_one).mean(-1)
    volume = _reconstruct(volume, site, scan)
    noise = _reconstruct(rng.standard_normal(scan.shape, dtype=np.float32), site, scan)
    volume += noise * (scan.noise_hu / noise.std())
    return volume.round().clip(*HU_RANGE).astype(np.int16)


def _reconstruct(volume: np.ndarray, site: Site, scan: Scan) -> np.ndarray:
    in_plane = scan.spacing[0]
    volume = ndimage.gaussian_filter(volume, (site.blur_mm / in_plane, site.blur_mm / in_plane, 0))
    if site.sharpening:
        wide = SHARPENING_MM / in_plane
        volume = volume + site.sharpening * (volume - ndimage.gaussian_filter(volume, (wide, wide, 0)))
    return volume


def _rotation(axis: np.ndarray, angle: float) -> np.ndarray:
    """(3, 3) rotation about `axis` by `angle` radians (Rodrigues)."""
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
