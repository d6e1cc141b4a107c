"""A tissue of fibres in CT, which shares nothing with lung and liver: no organ of the body.

It has neither vessels nor a body wall, and its lesions have no outline: they are regions in which
the fibres run along x or along y. The scanner treats both alike, so a quarter turn about z changes
one class into the other. Every quantity that such a turn does not change, such as size, intensity
or texture, therefore has the same distribution in both classes. The label of a lung lesion depends
on such quantities alone.
"""

import numpy as np

from graft.phantom.anatomy import BodyWall, grid_box, smooth_noise, soft_step
from graft.phantom.ct import acquire, draw_scan
from graft.phantom.lesion import GRAIN_MM, Lesion

__all__ = ["NO_WALL", "acquire", "draw_scan", "render_fibres"]

NO_WALL = BodyWall(np.array([1.0, 0.0, 0.0]), np.inf)
TISSUE_HU = 50.0  # that of muscle
FIBRES_HU = 28.0  # amplitude: that of a fully heterogeneous liver lesion
STRETCH = 3.0  # the fibres are up to this times as long as GRAIN_MM, and as much thinner across
EDGE_MM = 2.0  # width of the transition to tissue without a direction


def render_fibres(
    rng: np.random.Generator, lesions: list[tuple[Lesion, np.ndarray]], axes: list[np.ndarray]
) -> np.ndarray:
    """Draw tissue without a direction, and fibres with one in each lesion: (X, Y, Z) HU.

    Args:
        rng: draws the textures.
        lesions: each with its centre (3,) in the frame of the grid.
        axes: of the grid, in mm.
    """
    texture = smooth_noise(rng, axes, GRAIN_MM)
    for lesion, centre in lesions:
        reach = lesion.radius + EDGE_MM
        box = grid_box(axes, centre - reach, centre + reach)
        near = [axis[part] for axis, part in zip(axes, box, strict=True)]
        offsets = [axis - np.float32(middle) for axis, middle in zip(near, centre, strict=True)]
        x, y, z = np.ix_(*offsets)
        inside = soft_step(lesion.radius - np.sqrt(x**2 + y**2 + z**2), EDGE_MM)
        stretch = STRETCH ** lesion.traits["direction"]
        fibres = smooth_noise(rng, near, (GRAIN_MM * stretch, GRAIN_MM / stretch, GRAIN_MM))
        # Roots of the weights keep the variance the same across the edge, so that none is visible.
        mixed = np.sqrt(1 - inside) * texture[box] + np.sqrt(inside) * fibres
        texture[box] = mixed
    return TISSUE_HU + FIBRES_HU * texture
