"""One lesion, rendered from its traits."""

from dataclasses import dataclass

import numpy as np

from graft.phantom.anatomy import Appearance, blend, grid_box, smooth_noise, soft_step

SPICULES = 16  # enough to cover the surface without merging
SPICULE_SHARPNESS = 30.0  # a spicule falls to 1/e within 15 degrees
LOBES = 7
LOBE_SHARPNESS = 5.0  # a lobe falls to 1/e within 37 degrees
GRAIN_MM = 2.2  # correlation length of the heterogeneity: several grains in a small lesion
RIM_RADIUS = 0.82  # of the rim, relative to the lesion: just inside the outline
RIM_WIDTH = 0.18  # relative to the lesion's radius; the rim falls to 1/e at this distance
NEAR_ZERO_MM = 1e-3  # added to distances, so that the direction at the centre is defined


@dataclass(frozen=True)
class Lesion:
    """A lesion before it is rendered."""

    label: str
    centre: np.ndarray  # (3,) mm from the centre of the field of view, RAS+
    traits: dict[str, float]

    @property
    def radius(self) -> float:
        """The radius without lobes and spicules, in mm."""
        return self.traits["diameter"] / 2


def render_lesion(
    rng: np.random.Generator,
    appearance: Appearance,
    lesion: Lesion,
    centre: np.ndarray,
    axes: list[np.ndarray],
    volume: np.ndarray,
) -> None:
    """Draw `lesion` into `volume` (X, Y, Z); `centre` (3,) is in the frame of the grid."""
    traits = lesion.traits
    radius = lesion.radius
    lobulation = traits["lobulation"]
    spiculation = traits["spiculation"]
    reach = radius * (1 + lobulation + spiculation) + traits["edge"]
    box = grid_box(axes, centre - reach, centre + reach)
    near = [axis[part] for axis, part in zip(axes, box, strict=True)]
    offsets = [axis - np.float32(middle) for axis, middle in zip(near, centre, strict=True)]
    x, y, z = np.ix_(*offsets)
    distance = np.sqrt(x**2 + y**2 + z**2) + np.float32(NEAR_ZERO_MM)  # (X, Y, Z) mm
    direction = (x / distance, y / distance, z / distance)

    lobes = draw_bumps(rng, direction, LOBES, LOBE_SHARPNESS)
    spicules = draw_bumps(rng, direction, SPICULES, SPICULE_SHARPNESS)
    lobulated = radius * (1 + lobulation * (2 * lobes - 1))
    outline = lobulated + radius * spiculation * spicules

    relative = distance / lobulated
    inside = appearance.lesion(rng, traits, relative, direction)
    grain = smooth_noise(rng, near, GRAIN_MM)
    inside = inside + appearance.heterogeneity * traits["heterogeneity"] * grain
    blend(volume[box], soft_step(outline - distance, traits["edge"]), inside)


def draw_bumps(
    rng: np.random.Generator,
    direction: tuple[np.ndarray, ...],
    count: int,
    sharpness: float,
) -> np.ndarray:
    """The height, 0 to 1, of `count` random bumps on the unit sphere in each `direction`.

    A bump is 0.5 to 1 high. Where bumps overlap, the highest one counts.
    """
    places = rng.standard_normal((count, 3))
    places /= np.linalg.norm(places, axis=1, keepdims=True)
    heights = rng.uniform(0.5, 1.0, count)
    x, y, z = direction
    height = np.zeros(np.broadcast_shapes(x.shape, y.shape, z.shape), np.float32)
    for (px, py, pz), top in zip(places.tolist(), heights.tolist(), strict=True):
        cosine = px * x + py * y + pz * z
        bump = top * np.exp(sharpness * (cosine - 1))
        np.maximum(height, bump, out=height)
    return height


def rim(relative: np.ndarray) -> np.ndarray:
    """A ring just inside the outline: 1 at its centre line and 0 far from it."""
    away = (relative - RIM_RADIUS) / RIM_WIDTH
    return np.exp(-(away**2))
