"""A tissue of fibres in CT, which shares nothing with lung and liver; it is no organ of the body.

It has no vessels and no body wall, and its lesions have no outline: each is a region in which the
fibres run along x or along y. The scanner treats both axes alike, so a quarter turn about z changes
one class into the other. Every quantity that such a turn does not change, such as size, density,
texture or spiculation, therefore has the same distribution in both classes. The label of a lung
lesion depends on nothing else.
"""

from collections.abc import Sequence

import numpy as np

from graft.phantom.anatomy import BodyWall, grid_box, smooth_noise, soft_step
from graft.phantom.ct import CtScan, acquire, draw_scan
from graft.phantom.lesion import GRAIN_MM, Lesion

__all__ = ["NO_WALL", "acquire", "draw_scan", "render_fibres"]

NO_WALL = BodyWall(np.array([1.0, 0.0, 0.0]), np.inf)
TISSUE_HU = 50.0  # that of muscle, which has fibres
FIBRES_HU = 28.0  # amplitude, that of a fully heterogeneous lesion of the liver
STRETCH = 3.0  # fibres are up to so many times GRAIN_MM long, and as many times thinner than that
EDGE_MM = 2.0  # width of the transition to tissue without a direction: about a grain


def render_fibres(rng: np.random.Generator, scan: CtScan, lesions: Sequence[Lesion]) -> np.ndarray:
    """Draw grains without a direction, and fibres with one in each lesion.

    Returns:
        (X, Y, Z * fine_per_slice) HU on the fine grid of the scan.
    """
    axes = scan.fine_axes()
    texture = smooth_noise(rng, axes, GRAIN_MM)
    for lesion in lesions:
        centre = scan.directions.T @ lesion.centre  # mm in the frame of the grid
        reach = lesion.radius + EDGE_MM
        box = grid_box(axes, centre - reach, centre + reach)
        near = [axis[part] for axis, part in zip(axes, box, strict=True)]
        offsets = [axis - np.float32(middle) for axis, middle in zip(near, centre, strict=True)]
        x, y, z = np.ix_(*offsets)
        inside = soft_step(lesion.radius - np.sqrt(x**2 + y**2 + z**2), EDGE_MM)
        stretch = STRETCH ** lesion.traits["direction"]
        fibres = smooth_noise(rng, near, (GRAIN_MM * stretch, GRAIN_MM / stretch, GRAIN_MM))
        # With roots as weights the variance is the same everywhere, so that no edge is visible.
        texture[box] = np.sqrt(1 - inside) * texture[box] + np.sqrt(inside) * fibres
    return TISSUE_HU + FIBRES_HU * texture
