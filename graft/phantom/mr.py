"""MR: T2-weighted scans of the liver, in units that mean nothing, from two sites' scanners.

The signal is that of a spin echo whose repetition time is long, exp(−TE / T2), for tissues of about the same proton
density. So a cyst or a haemangioma shines, a solid lesion is somewhat lighter than the liver, and blood that flows is
dark.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import ndimage

from graft.phantom.anatomy import LIVER_TREE, Look
from graft.phantom.lesion import rim
from graft.phantom.scan import Scan, Site, draw_geometry

LIVER_MS, MUSCLE_MS, FAT_MS, CYST_MS = 46.0, 35.0, 110.0, 700.0  # T2 at 1.5 T, round numbers
VOID = 0.03  # signal of flowing blood and of cortical bone
TEXTURE, HETEROGENEITY = 0.01, 0.09  # of the greatest signal
BLUR_MM = 0.5  # standard deviation
GAIN = (500.0, 8000.0)  # of the scan, for a signal of 1
COIL_MM = (60.0, 90.0)  # from the middle of the field of view to the coil, in front of the patient
MOST = 32767


@dataclass(frozen=True)
class MrSite(Site):
    te_ms: tuple[float, float]  # echo time: the longer, the stronger the contrast
    noise: tuple[float, float]  # standard deviation, of the greatest signal
    reach_mm: tuple[float, float]  # of the coil: the shorter, the stronger the bias field


SITES = {
    "site-a": MrSite(
        0.7, (0.9, 1.0, 1.1), (2.0, 2.5, 3.0), (75.0, 95.0), (0.006, 0.009), (140.0, 200.0)
    ),
    "site-b": MrSite(
        0.3, (0.95, 1.2), (3.0, 3.5, 4.0), (50.0, 60.0), (0.012, 0.018), (100.0, 130.0)
    ),
}


@dataclass(frozen=True)
class MrScan(Scan):
    te_ms: float
    noise: float
    gain: float
    coil: np.ndarray  # (3,) mm from the middle of the field of view, RAS+
    reach_mm: float

    def sensitivity(self) -> np.ndarray:
        """The bias field (X, Y, Z): a Gaussian about the coil, 1 in the middle of the field of view."""
        grid = zip(self.shape, self.spacing, strict=True)
        x, y, z = np.ix_(*((np.arange(count) - (count - 1) / 2) * step for count, step in grid))
        cx, cy, cz = self.directions.T @ self.coil
        nearer = 2 * (cx * x + cy * y + cz * z) - (
            x**2 + y**2 + z**2
        )  # mm²: |coil|² − |coil − point|²
        return np.exp(nearer / (2 * self.reach_mm**2))


def draw_scan(rng: np.random.Generator, organ: str) -> MrScan:
    """Draw a site and one acquisition there."""
    geometry = draw_geometry(rng, SITES)
    site = SITES[geometry.site]
    front = np.array([rng.normal(0, 0.4), 1.0, rng.normal(0, 0.2)])
    return MrScan(
        **vars(geometry),
        te_ms=rng.uniform(*site.te_ms),
        noise=rng.uniform(*site.noise),
        gain=float(np.exp(rng.uniform(*np.log(GAIN)))),
        coil=front / np.linalg.norm(front) * rng.uniform(*COIL_MM),
        reach_mm=rng.uniform(*site.reach_mm),
    )


def look(organ: str, scan: MrScan) -> Look:
    """What the scan shows, as shares of the greatest signal."""
    liver, muscle, fat = (signal(t2, scan.te_ms) for t2 in (LIVER_MS, MUSCLE_MS, FAT_MS))
    return Look(
        LIVER_TREE,
        liver,
        TEXTURE,
        VOID,
        muscle,
        fat,
        VOID,
        HETEROGENEITY,
        partial(_lesion, scan.te_ms),
    )


def signal(t2_ms: np.ndarray | float, te_ms: float) -> np.ndarray | float:
    """exp(−TE / T2)."""
    return np.exp(-te_ms / t2_ms)


def acquire(scan: MrScan, tissue: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What the scanner makes of `tissue` (X, Y, Z * slices_in_one), shares of the greatest signal: int16 (X, Y, Z).

    The noise is Rician: the magnitude of a signal with Gaussian noise in its real and in its imaginary part
    (Gudbjartsson and Patz, Magnetic Resonance in Medicine 34, 1995).
    """
    blur = BLUR_MM / scan.spacing[0]
    real = ndimage.gaussian_filter(scan.average(tissue), (blur, blur, 0)) * scan.sensitivity()
    real += scan.noise * rng.standard_normal(scan.shape)
    imaginary = scan.noise * rng.standard_normal(scan.shape)
    return (scan.gain * np.hypot(real, imaginary)).round().clip(0, MOST).astype(np.int16)


def _lesion(
    te_ms: float,
    _: np.random.Generator,
    traits: dict[str, float],
    relative: np.ndarray,
    direction: tuple[np.ndarray, ...],
) -> np.ndarray:
    """From solid to fluid, haemangiomas between them, with a rim of oedema whose T2 is up to twice as long."""
    t2 = traits["t2"] * (CYST_MS / traits["t2"]) ** traits["fluid"]
    return signal(t2 * (1 + traits["rim"] * rim(relative)), te_ms)
