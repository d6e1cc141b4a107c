"""One lesion, from its traits to voxels."""

from dataclasses import dataclass

import numpy as np

from graft.phantom.anatomy import Look, blend, box, field, step

SPICULES = 16
SPICULE_SHARPNESS = 30.0  # of a bump on the sphere: it falls to 1/e within 15 degrees
LOBES = 7
LOBE_SHARPNESS = 5.0  # 1/e within 37 degrees
GRAIN_MM = 2.2  # correlation length of the heterogeneity
RIM_AT, RIM_WIDTH = 0.82, 0.18  # of the radius


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
    look: Look,
    lesion: Lesion,
    centre: np.ndarray,
    axes: list[np.ndarray],
    volume: np.ndarray,
) -> None:
    """Draw `lesion` into `volume` (X, Y, Z), its `centre` (3,) given in the grid's frame."""
    traits, radius = lesion.traits, lesion.radius
    reach = radius * (1 + traits["lobulation"] + traits["spiculation"]) + traits["edge"]
    part = box(axes, centre - reach, centre + reach)
    near = [axis[cut] for axis, cut in zip(axes, part, strict=True)]
    x, y, z = np.ix_(
        *(axis - np.float32(middle) for axis, middle in zip(near, centre, strict=True))
    )
    distance = np.sqrt(x**2 + y**2 + z**2) + np.float32(1e-3)  # (X, Y, Z) mm
    direction = (x / distance, y / distance, z / distance)
    lobes = bumps(rng, direction, LOBES, LOBE_SHARPNESS)
    spicules = bumps(rng, direction, SPICULES, SPICULE_SHARPNESS)
    smooth = radius * (1 + traits["lobulation"] * (2 * lobes - 1))
    outline = smooth + radius * traits["spiculation"] * spicules
    relative = distance / smooth
    inside = look.lesion(rng, traits, relative, direction)
    inside = inside + look.heterogeneity * traits["heterogeneity"] * field(rng, near, GRAIN_MM)
    blend(volume[part], step(outline - distance, traits["edge"]), inside)


def bumps(
    rng: np.random.Generator, direction: tuple[np.ndarray, ...], count: int, sharpness: float
) -> np.ndarray:
    """`count` bumps of height 0.5 to 1 at random places of the unit sphere, the highest one counts: 0..1."""
    places = rng.standard_normal((count, 3))
    places /= np.linalg.norm(places, axis=1, keepdims=True)
    heights = rng.uniform(0.5, 1.0, count)
    x, y, z = direction
    height = np.zeros(np.broadcast_shapes(x.shape, y.shape, z.shape), np.float32)
    for (px, py, pz), top in zip(places.tolist(), heights.tolist(), strict=True):
        np.maximum(height, top * np.exp(sharpness * (px * x + py * y + pz * z - 1)), out=height)
    return height


def rim(relative: np.ndarray) -> np.ndarray:
    """A ring inside the outline: 1 at its middle, 0 far from it."""
    return np.exp(-(((relative - RIM_AT) / RIM_WIDTH) ** 2))
