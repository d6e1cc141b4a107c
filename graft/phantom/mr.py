"""MR: how T2-weighted scans of two sites show the liver, in arbitrary units.

The signal is that of a spin echo with a long repetition time, exp(-TE / T2), of tissues with about
the same proton density. A cyst or a haemangioma is bright, a solid lesion is slightly brighter
than the liver, and flowing blood is dark.
"""

from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
from scipy import ndimage

from graft.phantom.anatomy import LIVER_TREE, Appearance
from graft.phantom.lesion import rim
from graft.phantom.scan import Scan, Site, centred_positions, draw_geometry

# T2 at 1.5 T in ms, typical values in round numbers.
LIVER_MS = 46.0
MUSCLE_MS = 35.0
FAT_MS = 110.0
CYST_MS = 700.0

# Shares of the highest signal.
VOID = 0.03  # signal of flowing blood and of cortical bone, which is nearly none
TEXTURE = 0.0093  # amplitude of the liver's texture
HETEROGENEITY = 0.078  # amplitude of a fully heterogeneous lesion

BLUR_MM = 0.5  # standard deviation of the point spread within a slice
GAIN = (500.0, 8000.0)  # range of the units per signal of 1: scanners differ, no unit is fixed
COIL_MM = (60.0, 90.0)  # range of the distance of the coil, which is in front of the patient
COIL_TURN_X = 0.4  # spread of the coil's position to the sides, relative to the front
COIL_TURN_Z = 0.2  # spread towards head or feet
MAX_VALUE = 32767  # of int16

Number = TypeVar("Number", float, np.ndarray)


@dataclass(frozen=True)
class MrSite(Site):
    """A site's sequence and coil; all three are ranges."""

    te_ms: tuple[float, float]  # echo time; the longer, the stronger the contrast
    noise: tuple[float, float]  # standard deviation relative to the highest signal
    reach_mm: tuple[float, float]  # of the coil; the shorter, the stronger the bias field


SITES = {
    "site-a": MrSite(
        share=0.7,
        in_plane_mm=(0.9, 1.0, 1.1),
        thickness_mm=(2.0, 2.5, 3.0),
        te_ms=(75.0, 95.0),
        noise=(0.006, 0.009),
        reach_mm=(140.0, 200.0),
    ),
    "site-b": MrSite(
        share=0.3,
        in_plane_mm=(0.95, 1.2),
        thickness_mm=(3.0, 3.5, 4.0),
        te_ms=(50.0, 60.0),
        noise=(0.012, 0.018),
        reach_mm=(100.0, 130.0),
    ),
}


@dataclass(frozen=True)
class MrScan(Scan):
    """One MR acquisition."""

    te_ms: float
    noise: float  # standard deviation relative to the highest signal
    gain: float  # units per signal of 1
    coil: np.ndarray  # (3,) mm from the centre of the field of view, RAS+
    reach_mm: float

    def bias_field(self) -> np.ndarray:
        """The coil's sensitivity (X, Y, Z): a Gaussian around the coil, 1 at the scan's centre."""
        grid = zip(self.shape, self.spacing, strict=True)
        x, y, z = np.ix_(*(centred_positions(count, step) for count, step in grid))
        cx, cy, cz = self.directions.T @ self.coil
        along_coil = cx * x + cy * y + cz * z
        nearer = 2 * along_coil - (x**2 + y**2 + z**2)  # mm²: |coil|² - |coil - point|²
        return np.exp(nearer / (2 * self.reach_mm**2))


def draw_scan(rng: np.random.Generator, organ: str) -> MrScan:
    """Draw a site and one acquisition there."""
    geometry = draw_geometry(rng, SITES)
    site = SITES[geometry.site]
    to_side = rng.normal(0, COIL_TURN_X)
    to_head = rng.normal(0, COIL_TURN_Z)
    front = np.array([to_side, 1.0, to_head])
    return MrScan(
        **vars(geometry),
        te_ms=rng.uniform(*site.te_ms),
        noise=rng.uniform(*site.noise),
        gain=float(np.exp(rng.uniform(*np.log(GAIN)))),
        coil=front / np.linalg.norm(front) * rng.uniform(*COIL_MM),
        reach_mm=rng.uniform(*site.reach_mm),
    )


def appearance_in(scan: MrScan, organ: str) -> Appearance:
    """How the scan shows the organ, as shares of the highest signal."""
    return Appearance(
        tree=LIVER_TREE,
        organ=spin_echo_signal(LIVER_MS, scan.te_ms),
        texture=TEXTURE,
        blood=VOID,
        muscle=spin_echo_signal(MUSCLE_MS, scan.te_ms),
        fat=spin_echo_signal(FAT_MS, scan.te_ms),
        bone=VOID,
        heterogeneity=HETEROGENEITY,
        lesion=partial(_lesion, scan.te_ms),
    )


def spin_echo_signal(t2_ms: Number, te_ms: float) -> Number:
    """exp(-TE / T2), relative to the signal without decay."""
    return np.exp(-te_ms / t2_ms)


def acquire(scan: MrScan, tissue: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Simulate the scanner.

    The noise is Rician: the magnitude of a signal with Gaussian noise in its real and in its
    imaginary part (Gudbjartsson and Patz, Magnetic Resonance in Medicine 34, 1995).

    Args:
        scan: the acquisition.
        tissue: (X, Y, Z * fine_per_slice), shares of the highest signal.
        rng: draws the noise.

    Returns:
        An int16 volume (X, Y, Z) in the units of the scan.
    """
    blur = BLUR_MM / scan.spacing[0]
    blurred = ndimage.gaussian_filter(scan.average_slices(tissue), (blur, blur, 0))
    real = blurred * scan.bias_field()
    real += scan.noise * rng.standard_normal(scan.shape, dtype=np.float32)
    imaginary = scan.noise * rng.standard_normal(scan.shape, dtype=np.float32)
    magnitude = scan.gain * np.hypot(real, imaginary)
    return magnitude.round().clip(0, MAX_VALUE).astype(np.int16)


def _lesion(
    te_ms: float,
    _: np.random.Generator,
    traits: dict[str, float],
    relative: np.ndarray,
    direction: tuple[np.ndarray, ...],
) -> np.ndarray:
    """From solid to fluid, with haemangiomas in between.

    A rim of oedema has a T2 that is up to twice as long.
    """
    solid_ms = traits["t2"]
    core_ms = solid_ms * (CYST_MS / solid_ms) ** traits["fluid"]
    t2_ms = core_ms * (1 + traits["rim"] * rim(relative))
    return spin_echo_signal(t2_ms, te_ms)
