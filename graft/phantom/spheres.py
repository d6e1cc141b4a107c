"""Round deposits in a tissue without structure, in CT; it shares nothing with lung and liver.

It is no organ of the body: it has no vessels and no body wall. A lesion is a smooth, homogeneous
sphere, denser or less dense than the tissue, which is the only thing that depends on its class. An
inversion of the contrast changes one class into the other. So what an inversion does not change,
such as size, shape, margin and heterogeneity, has the same distribution in both classes.
"""

from collections.abc import Sequence

import numpy as np

from graft.phantom.anatomy import TEXTURE_MM, BodyWall, blend, grid_box, smooth_noise, soft_step
from graft.phantom.ct import MUSCLE_HU, TEXTURE_HU, acquire, draw_scan
from graft.phantom.lesion import Lesion
from graft.phantom.scan import Scan

__all__ = ["NO_WALL", "acquire", "draw_scan", "render_spheres"]

NO_WALL = BodyWall(np.array([1.0, 0.0, 0.0]), np.inf)
EDGE_MM = 2.0  # width of the margin of every sphere


def render_spheres(rng: np.random.Generator, scan: Scan, lesions: Sequence[Lesion]) -> np.ndarray:
    """Draw the tissue and the spheres: (X, Y, Z * fine_per_slice) HU on the scan's fine grid."""
    axes = scan.fine_axes()
    volume = MUSCLE_HU + TEXTURE_HU["liver"] * smooth_noise(rng, axes, *TEXTURE_MM)
    for lesion in lesions:
        centre = scan.directions.T @ lesion.centre  # mm in the frame of the grid
        reach = lesion.radius + EDGE_MM
        box = grid_box(axes, centre - reach, centre + reach)
        near = [axis[part] for axis, part in zip(axes, box, strict=True)]
        offsets = [axis - np.float32(middle) for axis, middle in zip(near, centre, strict=True)]
        x, y, z = np.ix_(*offsets)
        inside = soft_step(lesion.radius - np.sqrt(x**2 + y**2 + z**2), EDGE_MM)
        blend(volume[box], inside, MUSCLE_HU + lesion.traits["contrast"])
    return volume
