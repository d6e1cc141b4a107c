"""One lesion, from its traits to HU."""

from dataclasses import dataclass

import numpy as np

from graft.phantom.anatomy import blend, blood_hu, box, field, parenchyma_hu, step

SPICULES = 16
SPICULE_SHARPNESS = 30.0  # of a bump on the sphere: it falls to 1/e within 15 degrees
LOBES = 7
LOBE_SHARPNESS = 5.0  # 1/e within 37 degrees
GRAIN_MM = 2.2  # correlation length of the heterogeneity
HETEROGENEITY_HU = {"lung": 220.0, "liver": 32.0}
GROUND_GLASS_HU = -580.0
CALCIUM_HU, CALCIFIED_FROM, CALCIFIED_RADIUS = 500.0, 0.6, 0.45
CYST_HU = 10.0
RIM_HU, RIM_AT, RIM_WIDTH = 90.0, 0.82, 0.18  # place and width of the radius
NODULES, NODULE_SHARPNESS, NODULES_FROM = 5, 9.0, 0.4
LEAST_ENHANCEMENT = 0.2  # of a rim and of nodules, in a native scan


@dataclass(frozen=True)
class Lesion:
    """A lesion as it is drawn: `centre` (3,) in mm from the middle of the field of view, RAS+."""

    label: str
    centre: np.ndarray
    traits: dict[str, float]

    @property
    def radius(self) -> float:
        """mm, without lobes and spicules."""
        return self.traits["diameter"] / 2


def render_lesion(
    rng: np.random.Generator,
    organ: str,
    enhancement: float,
    lesion: Lesion,
    centre: np.ndarray,
    axes: list[np.ndarray],
    volume: np.ndarray,
) -> None:
    """Draw `lesion` into `volume` (X, Y, Z) HU, its `centre` (3,) given in the grid's frame."""
    traits, radius = lesion.traits, lesion.radius
    reach = radius * (1 + traits["lobulation"] + traits["spiculation"]) + traits["edge"]
    part = box(axes, centre - reach, centre + reach)
    near = [axis[cut] for axis, cut in zip(axes, part, strict=True)]
    x, y, z = np.ix_(*(axis - np.float32(middle) for axis, middle in zip(near, centre, strict=True)))
    distance = np.sqrt(x**2 + y**2 + z**2) + np.float32(1e-3)  # (X, Y, Z) mm
    direction = (x / distance, y / distance, z / distance)
    lobes = bumps(rng, direction, LOBES, LOBE_SHARPNESS)
    spicules = bumps(rng, direction, SPICULES, SPICULE_SHARPNESS)
    smooth = radius * (1 + traits["lobulation"] * (2 * lobes - 1))
    outline = smooth + radius * traits["spiculation"] * spicules
    relative = distance / smooth
    inside = _lung_hu(traits, relative) if organ == "lung" else _liver_hu(rng, traits, relative, direction, enhancement)
    inside = inside + HETEROGENEITY_HU[organ] * traits["heterogeneity"] * field(rng, near, GRAIN_MM)
    blend(volume[part], step(outline - distance, traits["edge"]), inside)


def bumps(rng: np.random.Generator, direction: tuple[np.ndarray, ...], count: int, sharpness: float) -> np.ndarray:
    """`count` bumps of height 0.5 to 1 at random places of the unit sphere, the highest one counts: 0..1."""
    places = rng.standard_normal((count, 3))
    places /= np.linalg.norm(places, axis=1, keepdims=True)
    heights = rng.uniform(0.5, 1.0, count)
    x, y, z = direction
    height = np.zeros(np.broadcast_shapes(x.shape, y.shape, z.shape), np.float32)
    for (px, py, pz), top in zip(places.tolist(), heights.tolist(), strict=True):
        np.maximum(height, top * np.exp(sharpness * (px * x + py * y + pz * z - 1)), out=height)
    return height


def _lung_hu(traits: dict[str, float], relative: np.ndarray) -> np.ndarray:
    """A solid core in ground glass, the centre calcified where the trait is strong."""
    core = step(1.1 - traits["part_solid"] - relative, 0.2)
    core = core if traits["part_solid"] > 0.1 else 1.0
    calcium = max(0.0, traits["calcification"] - CALCIFIED_FROM) / (1 - CALCIFIED_FROM)
    solid = traits["density"] + CALCIUM_HU * calcium * step(CALCIFIED_RADIUS - relative, 0.15)
    return GROUND_GLASS_HU + (solid - GROUND_GLASS_HU) * core


def _liver_hu(
    rng: np.random.Generator,
    traits: dict[str, float],
    relative: np.ndarray,
    direction: tuple[np.ndarray, ...],
    enhancement: float,
) -> np.ndarray:
    """Hypodense to fluid, with an enhancing rim and, the less fluid the more, nodules at the edge."""
    solid = parenchyma_hu("liver", enhancement) - traits["density"]
    agent = LEAST_ENHANCEMENT + (1 - LEAST_ENHANCEMENT) * enhancement
    rim = np.exp(-(((relative - RIM_AT) / RIM_WIDTH) ** 2))
    nodules = max(0.0, traits["nodules"] - NODULES_FROM) / (1 - NODULES_FROM) * (1 - traits["fluid"])
    blobs = bumps(rng, direction, NODULES, NODULE_SHARPNESS) * step(relative - 0.55, 0.25)
    hu = solid + traits["fluid"] * (CYST_HU - solid) + RIM_HU * agent * traits["rim"] * rim
    return hu + nodules * blobs * (blood_hu(enhancement) - hu)
