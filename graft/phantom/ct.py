"""CT: how lung and liver appear, and how the scanners of two sites acquire them."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import ndimage

from graft.phantom.anatomy import LIVER_TREE, LUNG_TREE, Appearance, soft_step
from graft.phantom.lesion import draw_bumps, rim
from graft.phantom.scan import Scan, Site, draw_geometry

# Typical HU of tissues. Enhancement is what a portal venous scan adds.
LUNG_HU = -850.0  # alveoli filled with air
LIVER_HU = 60.0
LIVER_ENHANCEMENT_HU = 45.0
BLOOD_HU = 40.0
BLOOD_ENHANCEMENT_HU = 125.0
MUSCLE_HU = 50.0
FAT_HU = -100.0
BONE_HU = 400.0

# Amplitudes in HU. The window for lung is much wider than that for liver, so what is to be visible
# in it needs a larger amplitude.
TEXTURE_HU = {"lung": 20.5, "liver": 3.7}  # of the tissue
HETEROGENEITY_HU = {"lung": 185.0, "liver": 28.0}  # of a fully heterogeneous lesion
# Standard deviation at a site whose noise is 1.
NOISE_HU = {"lung": 24.0, "liver": 9.0, "unrelated": 9.0}

GROUND_GLASS_HU = -580.0  # between air and soft tissue
MIN_PART_SOLID = 0.1  # below, a lesion is solid throughout
CORE_RADIUS = 1.1  # of the solid core without ground glass, relative: beyond the outline
CORE_EDGE = 0.2  # width of the core's edge, relative to the lesion's radius
CALCIUM_HU = 500.0  # that full calcification adds
CALCIFIED_FROM = 0.6  # lower values of the trait do not show: most lesions have no calcium
CALCIFIED_RADIUS = 0.45  # of the calcified centre, relative
CALCIFIED_EDGE = 0.15  # width of its edge, relative

CYST_HU = 10.0  # nearly water
RIM_HU = 90.0  # that a full rim adds in a portal venous scan
NODULES = 5  # of nodular enhancement at the edge, as in a haemangioma
NODULE_SHARPNESS = 9.0  # a nodule falls to 1/e within 27 degrees
NODULES_FROM = 0.4  # lower values of the trait do not show
NODULE_RADIUS = 0.55  # relative: nodules lie outside this radius
NODULE_EDGE = 0.25  # width of their inner edge, relative
MIN_ENHANCEMENT = 0.2  # of rim and nodules in a native scan, so that they stay faintly visible

SHARPENING_MM = 1.2  # width of the unsharp mask of a sharp kernel
IMPULSE_PIXELS = 31  # enough for the answer of the kernel to one bright pixel
HU_RANGE = (-1024, 3071)  # 12 bits, what scanners store


@dataclass(frozen=True)
class CtSite(Site):
    """A site's kernel, dose and contrast phase."""

    blur_mm: float  # standard deviation of the kernel
    sharpening: float  # weight of the unsharp mask
    noise: tuple[float, float]  # range, relative to NOISE_HU
    enhancement: tuple[float, float]  # range; 0: native, 1: portal venous


SITES = {
    "site-a": CtSite(
        share=0.7,
        in_plane_mm=(0.8, 0.9, 1.0),
        thickness_mm=(1.0, 1.25, 1.5, 2.0),
        blur_mm=0.6,
        sharpening=0.0,
        noise=(0.8, 1.2),
        enhancement=(0.8, 1.0),
    ),
    "site-b": CtSite(
        share=0.3,
        in_plane_mm=(0.85, 0.95),
        thickness_mm=(2.0, 2.5, 3.0),
        blur_mm=0.4,
        sharpening=0.6,
        noise=(1.5, 2.1),
        enhancement=(0.3, 0.55),
    ),
}


@dataclass(frozen=True)
class CtScan(Scan):
    """One CT acquisition."""

    noise_hu: float  # standard deviation
    enhancement: float  # 0: native, 1: portal venous


def draw_scan(rng: np.random.Generator, organ: str) -> CtScan:
    """Draw a site and one acquisition there."""
    geometry = draw_geometry(rng, SITES)
    site = SITES[geometry.site]
    return CtScan(
        **vars(geometry),
        noise_hu=NOISE_HU[organ] * rng.uniform(*site.noise),
        enhancement=rng.uniform(*site.enhancement),
    )


def appearance_in(scan: CtScan, organ: str) -> Appearance:
    """How the scan shows the organ, in HU."""
    blood = BLOOD_HU + BLOOD_ENHANCEMENT_HU * scan.enhancement
    if organ == "lung":
        tree = LUNG_TREE
        tissue = LUNG_HU
        lesion = _lung_lesion
    else:
        tree = LIVER_TREE
        tissue = LIVER_HU + LIVER_ENHANCEMENT_HU * scan.enhancement
        lesion = partial(_liver_lesion, tissue, blood, scan.enhancement)
    return Appearance(
        tree=tree,
        organ=tissue,
        texture=TEXTURE_HU[organ],
        blood=blood,
        muscle=MUSCLE_HU,
        fat=FAT_HU,
        bone=BONE_HU,
        heterogeneity=HETEROGENEITY_HU[organ],
        lesion=lesion,
    )


def acquire(scan: CtScan, tissue: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Simulate the scanner.

    Args:
        scan: the acquisition.
        tissue: (X, Y, Z * fine_per_slice) HU.
        rng: draws the noise.

    Returns:
        An int16 volume (X, Y, Z) in HU.
    """
    site = SITES[scan.site]
    noise = rng.standard_normal(scan.shape, dtype=np.float32)
    noise *= scan.noise_hu / _remaining_noise(site, scan)
    noise += scan.average_slices(tissue)
    volume = _reconstruct(noise, site, scan)  # it is linear: tissue and noise pass it at once
    return volume.round(out=volume).clip(*HU_RANGE, out=volume).astype(np.int16)


def _remaining_noise(site: CtSite, scan: CtScan) -> float:
    """The standard deviation of white noise of 1 after the reconstruction."""
    impulse = np.zeros((IMPULSE_PIXELS, IMPULSE_PIXELS, 1), np.float32)
    impulse[IMPULSE_PIXELS // 2, IMPULSE_PIXELS // 2] = 1
    return float(np.linalg.norm(_reconstruct(impulse, site, scan)))


def _reconstruct(volume: np.ndarray, site: CtSite, scan: CtScan) -> np.ndarray:
    """Apply the site's kernel within each slice."""
    pixel_mm = scan.spacing[0]
    blur = site.blur_mm / pixel_mm
    volume = ndimage.gaussian_filter(volume, (blur, blur, 0))
    if site.sharpening:
        wide = SHARPENING_MM / pixel_mm
        detail = volume - ndimage.gaussian_filter(volume, (wide, wide, 0))
        volume = volume + site.sharpening * detail
    return volume


def _lung_lesion(
    _: np.random.Generator,
    traits: dict[str, float],
    relative: np.ndarray,
    direction: tuple[np.ndarray, ...],
) -> np.ndarray:
    """A solid core in ground glass; the centre is calcified if the trait is strong."""
    if traits["part_solid"] > MIN_PART_SOLID:
        core = soft_step(CORE_RADIUS - traits["part_solid"] - relative, CORE_EDGE)
    else:
        core = np.ones_like(relative)
    calcium = _above(CALCIFIED_FROM, traits["calcification"])
    centre = soft_step(CALCIFIED_RADIUS - relative, CALCIFIED_EDGE)
    solid = traits["density"] + CALCIUM_HU * calcium * centre
    return GROUND_GLASS_HU + (solid - GROUND_GLASS_HU) * core


def _liver_lesion(
    tissue: float,
    blood: float,
    enhancement: float,
    rng: np.random.Generator,
    traits: dict[str, float],
    relative: np.ndarray,
    direction: tuple[np.ndarray, ...],
) -> np.ndarray:
    """From hypodense to fluid, with an enhancing rim and with nodules at the edge.

    The more fluid a lesion is, the fainter are its nodules.
    """
    solid = tissue - traits["density"]
    agent = MIN_ENHANCEMENT + (1 - MIN_ENHANCEMENT) * enhancement
    nodules = _above(NODULES_FROM, traits["nodules"]) * (1 - traits["fluid"])
    bumps = draw_bumps(rng, direction, NODULES, NODULE_SHARPNESS)
    blobs = bumps * soft_step(relative - NODULE_RADIUS, NODULE_EDGE)
    fluid = traits["fluid"] * (CYST_HU - solid)
    hu = solid + fluid + RIM_HU * agent * traits["rim"] * rim(relative)
    return hu + nodules * blobs * (blood - hu)


def _above(start: float, trait: float) -> float:
    """The part of a trait above `start`, stretched to 0 to 1."""
    return max(0.0, trait - start) / (1 - start)
