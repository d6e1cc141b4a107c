"""What surrounds the lesions: the organ's tissue, a vessel tree and the body wall on one side."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import fft

TEXTURE_MM = (0.9, 3.0)  # correlation lengths of the tissue: about one voxel and about three
MUSCLE_MM = 5.0  # thickness of the muscle between the organ and the fat
RIB_DEPTH_MM = 9.0  # of a rib's centre below the inner surface of the wall
RIB_RADIUS_MM = 4.0  # half the thickness of a rib
RIB_STEP_MM = 24.0  # from one rib to the next along z
WALL_DISTANCE_MM = (22.0, 40.0)  # from the centre of the scan: in or near its edge
WALL_TURN_Y = 0.4  # spread of the wall's normal towards front or back, relative to the side
WALL_TURN_Z = 0.15  # spread towards head or feet: the wall is nearly parallel to the spine
WALL_RADIUS_MM = 90.0  # radius of curvature, about half the width of a chest
MUSCLE_EDGE_MM = 1.0  # width of the transition from organ to muscle
FAT_EDGE_MM = 1.5  # from muscle to fat, which interlock
RIB_EDGE_MM = 1.0
VESSEL_EDGE_MM = 0.35  # half the width of the transition at a vessel's surface

ROOT_DISTANCE_MM = 38.0  # vessels enter at the edge of the scan that is opposite to the wall
ROOT_SPREAD_MM = 12.0  # standard deviation of where they enter
ROOT_TURN = 0.3  # spread of their direction around the way to the wall
TAPER = (0.82, 0.92)  # radius at the end of a segment relative to its start
THICK_BRANCH = (0.85, 1.0)  # radius of the thicker of two branches relative to its parent
THIN_BRANCH = (0.5, 0.8)  # radius of the thinner one
# How far a branch turns away, as the tangent of the angle at one standard deviation. A branch of
# relative radius r turns by TURN * (1.5 - r): thin branches turn more, as in real vessel trees.
TURN = 0.55

Segment = tuple[np.ndarray, np.ndarray, float, float]  # start, end, radius at start, at end; mm
Box = tuple[slice, slice, slice]
LesionInside = Callable[
    [np.random.Generator, dict[str, float], np.ndarray, tuple[np.ndarray, ...]], np.ndarray
]


@dataclass(frozen=True)
class VesselTree:
    """How vessels grow; all lengths in mm."""

    roots: int
    root_radius: tuple[float, float]
    min_radius: float  # thinner branches are not drawn
    step: tuple[float, float]  # from one branching to the next


# Lung vessels are visible against air down to half a millimetre. Liver vessels are thicker, and
# thin ones disappear in the tissue.
LUNG_TREE = VesselTree(roots=3, root_radius=(2.0, 3.2), min_radius=0.5, step=(6.0, 12.0))
LIVER_TREE = VesselTree(roots=2, root_radius=(3.0, 4.5), min_radius=1.1, step=(9.0, 16.0))


@dataclass(frozen=True)
class Appearance:
    """How a scan shows an organ and its surroundings.

    Intensities are in HU for CT and shares of the highest signal for MR. `lesion(rng, traits,
    relative, direction)` returns the inside of a lesion at points whose distance from the centre
    is `relative` to the radius, in a `direction` (x, y, z) of length 1.
    """

    tree: VesselTree
    organ: float
    texture: float  # amplitude of the organ's texture
    blood: float
    muscle: float
    fat: float
    bone: float
    heterogeneity: float  # amplitude of the texture of a fully heterogeneous lesion
    lesion: LesionInside


@dataclass(frozen=True)
class BodyWall:
    """The inner surface of the body wall.

    `normal` (3,) points outwards, `distance` is in mm from the centre of the scan.
    """

    normal: np.ndarray
    distance: float

    def depth(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """How far points lie behind the surface, in mm; negative inside the body.

        The points are in mm from the centre of the scan, in the frame of `normal`.
        """
        nx, ny, nz = self.normal.tolist()
        along = nx * x + ny * y + nz * z
        squared_across = x**2 + y**2 + z**2 - along**2
        curvature = squared_across / (2 * WALL_RADIUS_MM)
        return along - self.distance + curvature


def draw_wall(rng: np.random.Generator) -> BodyWall:
    """Draw the side of the wall, left or right, and its distance."""
    side = rng.choice((-1.0, 1.0))
    to_front = rng.normal(0, WALL_TURN_Y)
    to_head = rng.normal(0, WALL_TURN_Z)
    normal = np.array([side, to_front, to_head])
    return BodyWall(normal / np.linalg.norm(normal), rng.uniform(*WALL_DISTANCE_MM))


def smooth_noise(
    rng: np.random.Generator,
    axes: list[np.ndarray],
    *lengths: float,
) -> np.ndarray:
    """Noise of standard deviation 1 on the grid of `axes`: (X, Y, Z) float32.

    It has the distribution of a sum of white noises, each smoothed by a Gaussian whose standard
    deviation is one of `lengths`, in mm, and then scaled to the same variance. It is made of waves
    whose random amplitudes follow the power spectrum of this sum, so one transform is enough.
    """
    shape = [len(axis) for axis in axes]
    sides = [fft.next_fast_len(count, real=True) for count in shape]
    voxels = [float(axis[1] - axis[0]) for axis in axes]  # mm
    frequencies = [np.abs(fft.fftfreq(side, mm)) for side, mm in zip(sides, voxels, strict=True)]
    half = sides[2] // 2 + 1  # a real signal has the other half too, mirrored
    power = np.zeros((sides[0], sides[1], half), np.float32)
    for length in lengths:
        x, y, z = (_gaussian_power(along_axis, length) for along_axis in frequencies)
        power += x[:, None, None] * y[:, None] * z[:half] / len(lengths)
    amplitudes = rng.standard_normal((*power.shape, 2), dtype=np.float32)
    waves = amplitudes.view(np.complex64)[..., 0] * np.sqrt(power)
    waves[:, :, 0] *= np.float32(np.sqrt(2))  # these waves have no mirrored half
    if sides[2] % 2 == 0:
        waves[:, :, -1] *= np.float32(np.sqrt(2))
    noise = fft.irfftn(waves, sides, norm="ortho", overwrite_x=True)
    noise *= np.float32(np.sqrt(0.5))
    return noise[: shape[0], : shape[1], : shape[2]]


def soft_step(inside: np.ndarray, width: float) -> np.ndarray:
    """A soft edge: 0 outside and 1 inside.

    It rises from 0.12 to 0.88 over `width` mm of `inside`, a signed distance in mm.
    """
    exponent = np.clip(-4 / width * inside, -30, 30)
    return 1 / (1 + np.exp(exponent))


def blend(volume: np.ndarray, weight: np.ndarray, value: np.ndarray | float) -> None:
    """Replace `volume` in place by `value` where `weight` is 1, in part where it is lower."""
    volume += weight * (value - volume)


def grid_box(axes: list[np.ndarray], low: np.ndarray, high: np.ndarray) -> Box:
    """The part of the grid between two corners in mm; empty if they lie outside."""
    slices = []
    for axis, start, end in zip(axes, low, high, strict=True):
        first, last = np.searchsorted(axis, (start, end)).tolist()
        slices.append(slice(first, last))
    x, y, z = slices
    return x, y, z


def render_organ(
    rng: np.random.Generator,
    appearance: Appearance,
    axes: list[np.ndarray],
) -> np.ndarray:
    """The organ's tissue with its texture on the grid of `axes`: (X, Y, Z)."""
    return appearance.organ + appearance.texture * smooth_noise(rng, axes, *TEXTURE_MM)


def render_vessels(
    rng: np.random.Generator,
    appearance: Appearance,
    direction: np.ndarray,
    axes: list[np.ndarray],
    volume: np.ndarray,
) -> None:
    """Draw a vessel tree into `volume`.

    It grows towards `direction` (3,), a unit vector in the frame of the grid.
    """
    weight = np.zeros_like(volume)
    for segment in _grow(rng, appearance.tree, direction):
        _add_tube(segment, axes, weight)
    blend(volume, weight, appearance.blood)


def render_wall(
    appearance: Appearance,
    wall: BodyWall,
    axes: list[np.ndarray],
    volume: np.ndarray,
) -> None:
    """Draw muscle, fat and ribs into `volume`; `wall.normal` is in the frame of the grid."""
    x, y, z = np.ix_(*axes)
    depth = wall.depth(x, y, z)
    reached = np.flatnonzero(depth.max((1, 2)) > -MUSCLE_EDGE_MM)  # the wall is on one side of x
    if not len(reached):
        return
    side = slice(reached[0], reached[-1] + 1)
    depth = depth[side]
    near = volume[side]
    blend(near, soft_step(depth, MUSCLE_EDGE_MM), appearance.muscle)
    blend(near, soft_step(depth - MUSCLE_MM, FAT_EDGE_MM), appearance.fat)
    half_step = RIB_STEP_MM / 2
    along = (z + half_step) % RIB_STEP_MM - half_step  # mm from the nearest rib
    across = depth - RIB_DEPTH_MM
    inside_rib = RIB_RADIUS_MM - np.sqrt(across**2 + along**2)
    blend(near, soft_step(inside_rib, RIB_EDGE_MM), appearance.bone)


def _gaussian_power(frequencies: np.ndarray, length: float) -> np.ndarray:
    """The power spectrum, of mean 1, of white noise that is smoothed over `length` mm."""
    power = np.exp(-((2 * np.pi * length * frequencies) ** 2))
    return (power / power.mean()).astype(np.float32)


def _add_tube(segment: Segment, axes: list[np.ndarray], weight: np.ndarray) -> None:
    """Raise `weight` to 1 inside a tapering tube."""
    start, end, thick, thin = segment
    reach = thick + 2 * VESSEL_EDGE_MM
    low = np.minimum(start, end) - reach
    high = np.maximum(start, end) + reach
    box = grid_box(axes, low, high)
    x, y, z = np.ix_(*(axis[part] for axis, part in zip(axes, box, strict=True)))
    if not (x.size and y.size and z.size):
        return
    dx, dy, dz = (end - start).tolist()
    start_x, start_y, start_z = start.tolist()
    x = x - start_x
    y = y - start_y
    z = z - start_z
    squared_length = dx * dx + dy * dy + dz * dz
    # The nearest point on the tube's axis, as a share of the way from start to end.
    along = (x * dx + y * dy + z * dz) / squared_length
    along = along.clip(0, 1)
    away_x = x - along * dx
    away_y = y - along * dy
    away_z = z - along * dz
    distance = np.sqrt(away_x**2 + away_y**2 + away_z**2)
    radius = thick + (thin - thick) * along
    tube = soft_step(radius - distance, 2 * VESSEL_EDGE_MM)
    np.maximum(weight[box], tube, out=weight[box])


def _grow(rng: np.random.Generator, tree: VesselTree, direction: np.ndarray) -> list[Segment]:
    """Draw the segments of a tree, depth first."""
    buds = []
    for _ in range(tree.roots):
        start = -ROOT_DISTANCE_MM * direction + rng.normal(0, ROOT_SPREAD_MM, 3)
        root_direction = _turn(rng, direction, ROOT_TURN)
        buds.append((start, root_direction, rng.uniform(*tree.root_radius)))
    segments = []
    while buds:
        start, towards, radius = buds.pop()
        end = start + towards * rng.uniform(*tree.step)
        thin = radius * rng.uniform(*TAPER)
        segments.append((start, end, radius, thin))
        thicker = rng.uniform(*THICK_BRANCH)
        thinner = rng.uniform(*THIN_BRANCH)
        for relative in (thicker, thinner):
            if thin * relative >= tree.min_radius:
                turned = _turn(rng, towards, TURN * (1.5 - relative))
                buds.append((end, turned, thin * relative))
    return segments


def _turn(rng: np.random.Generator, direction: np.ndarray, spread: float) -> np.ndarray:
    """A random direction near another one; both have length 1."""
    turned = direction + rng.normal(0, spread, 3)
    return turned / np.linalg.norm(turned)
