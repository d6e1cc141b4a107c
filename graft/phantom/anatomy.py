"""The organ around the lesions: parenchyma, a vessel tree, and the body's wall on one side."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

TEXTURE_MM = (0.9, 3.0)  # correlation lengths of the parenchyma's two octaves
MUSCLE_MM = 5.0
RIB_DEPTH_MM, RIB_RADIUS_MM, RIB_STEP_MM = 9.0, 4.0, 24.0
WALL_DISTANCE_MM = (22.0, 40.0)  # from the middle of the field of view
WALL_RADIUS_MM = 90.0  # of its curvature
VESSEL_EDGE_MM = 0.35


@dataclass(frozen=True)
class Tree:
    """How vessels grow; radii, and the steps from branch to branch, in mm."""

    roots: int
    root_radius: tuple[float, float]
    least_radius: float
    step: tuple[float, float]


LUNG_TREE = Tree(roots=3, root_radius=(2.0, 3.2), least_radius=0.5, step=(6.0, 12.0))
LIVER_TREE = Tree(roots=2, root_radius=(3.0, 4.5), least_radius=1.1, step=(9.0, 16.0))
SPREAD = 0.55  # how far a branch turns away: the tangent of the angle, at one standard deviation


@dataclass(frozen=True)
class Look:
    """What a scan shows of an organ and what is around it, in HU or, in MR, as a share of the greatest signal.

    `lesion(rng, traits, relative, direction)` gives the inside of a lesion at points a `relative` share of its
    radius from its centre, in a `direction`; `texture` and `heterogeneity` are amplitudes of noise in the organ
    and in a lesion.
    """

    tree: Tree
    organ: float
    texture: float
    blood: float
    muscle: float
    fat: float
    bone: float
    heterogeneity: float
    lesion: Callable[
        [np.random.Generator, dict[str, float], np.ndarray, tuple[np.ndarray, ...]], np.ndarray
    ]


@dataclass(frozen=True)
class Wall:
    """The inner surface of the body's wall: `normal` (3,) points outwards, `distance` in mm from the middle."""

    normal: np.ndarray
    distance: float

    def depth(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """mm outside the surface at points (mm from the middle, in the frame of `normal`); negative inside."""
        along = self.normal[0] * x + self.normal[1] * y + self.normal[2] * z
        return along - self.distance + (x**2 + y**2 + z**2 - along**2) / (2 * WALL_RADIUS_MM)


def draw_wall(rng: np.random.Generator) -> Wall:
    """Draw on which side the wall lies, and how far."""
    normal = np.array([rng.choice((-1.0, 1.0)), rng.normal(0, 0.4), rng.normal(0, 0.15)])
    return Wall(normal / np.linalg.norm(normal), rng.uniform(*WALL_DISTANCE_MM))


def field(rng: np.random.Generator, axes: list[np.ndarray], length: float) -> np.ndarray:
    """Smooth noise of mean about 0 and standard deviation 1, correlated over `length` mm, on the grid of `axes`."""
    white = rng.standard_normal([len(axis) for axis in axes], dtype=np.float32)
    smooth = ndimage.gaussian_filter(white, [length / float(axis[1] - axis[0]) for axis in axes])
    return smooth / smooth.std()


def step(inside: np.ndarray, width: float) -> np.ndarray:
    """A soft edge: 0 outside, 1 inside, from 0.12 to 0.88 over `width` mm of `inside`, a signed distance in mm."""
    return 1 / (1 + np.exp(np.clip(-4 / width * inside, -30, 30)))


def blend(volume: np.ndarray, weight: np.ndarray, value: np.ndarray | float) -> None:
    """Replace `volume` in place by `value` where `weight` is 1, in part where it is less."""
    volume += weight * (value - volume)


def box(axes: list[np.ndarray], low: np.ndarray, high: np.ndarray) -> tuple[slice, slice, slice]:
    """The part of the grid between two corners (mm); empty where they lie outside."""
    return tuple(
        slice(*np.searchsorted(axis, (near, far)).tolist())
        for axis, near, far in zip(axes, low, high, strict=True)
    )


def render_parenchyma(rng: np.random.Generator, look: Look, axes: list[np.ndarray]) -> np.ndarray:
    """The organ with its texture, on the grid of `axes` (X, Y, Z)."""
    fine, coarse = (field(rng, axes, length) for length in TEXTURE_MM)
    return look.organ + look.texture * (fine + coarse) / np.sqrt(np.float32(2))


def render_vessels(
    rng: np.random.Generator,
    look: Look,
    away: np.ndarray,
    axes: list[np.ndarray],
    volume: np.ndarray,
) -> None:
    """Draw a vessel tree that grows towards `away` (3,), a unit vector in the grid's frame, into `volume`."""
    weight = np.zeros_like(volume)
    for start, end, thick, thin in _grow(rng, look.tree, away):
        reach = thick + 2 * VESSEL_EDGE_MM
        part = box(axes, np.minimum(start, end) - reach, np.maximum(start, end) + reach)
        x, y, z = np.ix_(*(axis[cut] for axis, cut in zip(axes, part, strict=True)))
        if not (x.size and y.size and z.size):
            continue
        dx, dy, dz = (end - start).tolist()
        sx, sy, sz = start.tolist()
        along = ((x - sx) * dx + (y - sy) * dy + (z - sz) * dz) / (dx * dx + dy * dy + dz * dz)
        along = along.clip(0, 1)
        away_mm = np.sqrt(
            (x - sx - along * dx) ** 2 + (y - sy - along * dy) ** 2 + (z - sz - along * dz) ** 2
        )
        tube = step(thick + (thin - thick) * along - away_mm, 2 * VESSEL_EDGE_MM)
        np.maximum(weight[part], tube, out=weight[part])
    blend(volume, weight, look.blood)


def render_wall(look: Look, wall: Wall, axes: list[np.ndarray], volume: np.ndarray) -> None:
    """Draw the wall into `volume`: muscle, fat and ribs; `wall.normal` in the grid's frame."""
    x, y, z = np.ix_(*axes)
    depth = wall.depth(x, y, z)
    if depth.max() < 0:
        return
    blend(volume, step(depth, 1.0), look.muscle)
    blend(volume, step(depth - MUSCLE_MM, 1.5), look.fat)
    across = (z + RIB_STEP_MM / 2) % RIB_STEP_MM - RIB_STEP_MM / 2
    rib = RIB_RADIUS_MM - np.sqrt((depth - RIB_DEPTH_MM) ** 2 + across**2)
    blend(volume, step(rib, 1.0), look.bone)


def _grow(
    rng: np.random.Generator, tree: Tree, away: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray, float, float]]:
    """Tapering segments (start, end, radius at start, radius at end), mm."""
    segments = []
    buds = []
    for _ in range(tree.roots):
        start = -38 * away + rng.normal(0, 12, 3)
        buds.append((start, _turn(rng, away, 0.3), rng.uniform(*tree.root_radius)))
    while buds:
        start, direction, radius = buds.pop()
        end = start + direction * rng.uniform(*tree.step)
        thin = radius * rng.uniform(0.82, 0.92)
        segments.append((start, end, radius, thin))
        for share in (rng.uniform(0.85, 1.0), rng.uniform(0.5, 0.8)):
            if thin * share >= tree.least_radius:
                buds.append((end, _turn(rng, direction, SPREAD * (1.5 - share)), thin * share))
    return segments


def _turn(rng: np.random.Generator, direction: np.ndarray, spread: float) -> np.ndarray:
    turned = direction + rng.normal(0, spread, 3)
    return turned / np.linalg.norm(turned)
