"""CT: what two sites' scanners show of lung and liver, and what they do to what they see."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import ndimage

from graft.phantom.anatomy import LIVER_TREE, LUNG_TREE, Look, step
from graft.phantom.lesion import bumps, rim
from graft.phantom.scan import Scan, Site, draw_geometry

AIR_AND_ALVEOLI_HU = -850.0
LIVER_HU = 60.0  # native
LIVER_ENHANCEMENT_HU = 45.0  # more in the portal venous phase
BLOOD_HU = 40.0
BLOOD_ENHANCEMENT_HU = 125.0
TEXTURE_HU = {"lung": 22.0, "liver": 4.0}
MUSCLE_HU, FAT_HU, BONE_HU = 50.0, -100.0, 400.0
HETEROGENEITY_HU = {"lung": 220.0, "liver": 32.0}
GROUND_GLASS_HU = -580.0
CALCIUM_HU, CALCIFIED_FROM, CALCIFIED_RADIUS = 500.0, 0.6, 0.45
CYST_HU = 10.0
RIM_HU = 90.0
NODULES, NODULE_SHARPNESS, NODULES_FROM = 5, 9.0, 0.4
LEAST_ENHANCEMENT = 0.2  # of a rim and of nodules, in a native scan

NOISE_HU = {"lung": 24.0, "liver": 9.0}  # standard deviation at a site whose noise is 1
SHARPENING_MM = 1.2  # width of the unsharp mask of a sharp kernel
HU_RANGE = (-1024, 3071)


@dataclass(frozen=True)
class CtSite(Site):
    blur_mm: float  # standard deviation of the kernel
    sharpening: float  # weight of the unsharp mask
    noise: tuple[float, float]  # of NOISE_HU
    enhancement: tuple[float, float]  # contrast agent in the tissue: 0 native, 1 portal venous


SITES = {
    "site-a": CtSite(0.7, (0.8, 0.9, 1.0), (1.0, 1.25, 1.5, 2.0), 0.6, 0.0, (0.8, 1.2), (0.8, 1.0)),
    "site-b": CtSite(0.3, (0.85, 0.95), (2.0, 2.5, 3.0), 0.4, 0.6, (1.5, 2.1), (0.3, 0.55)),
}


@dataclass(frozen=True)
class CtScan(Scan):
    noise_hu: float
    enhancement: float


def draw_scan(rng: np.random.Generator, organ: str) -> CtScan:
    """Draw a site and one acquisition there."""
    geometry = draw_geometry(rng, SITES)
    site = SITES[geometry.site]
    return CtScan(
        **vars(geometry),
        noise_hu=NOISE_HU[organ] * rng.uniform(*site.noise),
        enhancement=rng.uniform(*site.enhancement),
    )


def look(organ: str, scan: CtScan) -> Look:
    """What the scan shows, in HU."""
    blood = BLOOD_HU + BLOOD_ENHANCEMENT_HU * scan.enhancement
    if organ == "lung":
        tree, parenchyma, lesion = LUNG_TREE, AIR_AND_ALVEOLI_HU, _lung_lesion
    else:
        tree, parenchyma = LIVER_TREE, LIVER_HU + LIVER_ENHANCEMENT_HU * scan.enhancement
        lesion = partial(_liver_lesion, parenchyma, blood, scan.enhancement)
    return Look(
        tree,
        parenchyma,
        TEXTURE_HU[organ],
        blood,
        MUSCLE_HU,
        FAT_HU,
        BONE_HU,
        HETEROGENEITY_HU[organ],
        lesion,
    )


def acquire(scan: CtScan, tissue: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What the scanner makes of `tissue` (X, Y, Z * slices_in_one) HU: an int16 volume (X, Y, Z) in HU."""
    site = SITES[scan.site]
    volume = _reconstruct(scan.average(tissue), site, scan)
    noise = _reconstruct(rng.standard_normal(scan.shape, dtype=np.float32), site, scan)
    volume += noise * (scan.noise_hu / noise.std())
    return volume.round().clip(*HU_RANGE).astype(np.int16)


def _reconstruct(volume: np.ndarray, site: CtSite, scan: CtScan) -> np.ndarray:
    in_plane = scan.spacing[0]
    volume = ndimage.gaussian_filter(volume, (site.blur_mm / in_plane, site.blur_mm / in_plane, 0))
    if site.sharpening:
        wide = SHARPENING_MM / in_plane
        volume = volume + site.sharpening * (
            volume - ndimage.gaussian_filter(volume, (wide, wide, 0))
        )
    return volume


def _lung_lesion(
    _: np.random.Generator,
    traits: dict[str, float],
    relative: np.ndarray,
    direction: tuple[np.ndarray, ...],
) -> np.ndarray:
    """A solid core in ground glass, the centre calcified where the trait is strong."""
    core = step(1.1 - traits["part_solid"] - relative, 0.2)
    core = core if traits["part_solid"] > 0.1 else 1.0
    calcium = max(0.0, traits["calcification"] - CALCIFIED_FROM) / (1 - CALCIFIED_FROM)
    solid = traits["density"] + CALCIUM_HU * calcium * step(CALCIFIED_RADIUS - relative, 0.15)
    return GROUND_GLASS_HU + (solid - GROUND_GLASS_HU) * core


def _liver_lesion(
    parenchyma: float,
    blood: float,
    enhancement: float,
    rng: np.random.Generator,
    traits: dict[str, float],
    relative: np.ndarray,
    direction: tuple[np.ndarray, ...],
) -> np.ndarray:
    """Hypodense to fluid, with an enhancing rim and, the less fluid the more, nodules at the edge."""
    solid = parenchyma - traits["density"]
    agent = LEAST_ENHANCEMENT + (1 - LEAST_ENHANCEMENT) * enhancement
    nodules = (
        max(0.0, traits["nodules"] - NODULES_FROM) / (1 - NODULES_FROM) * (1 - traits["fluid"])
    )
    blobs = bumps(rng, direction, NODULES, NODULE_SHARPNESS) * step(relative - 0.55, 0.25)
    hu = (
        solid + traits["fluid"] * (CYST_HU - solid) + RIM_HU * agent * traits["rim"] * rim(relative)
    )
    return hu + nodules * blobs * (blood - hu)
