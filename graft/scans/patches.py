"""Patches: cut out of a volume at a lesion. Only what the patch covers is read and resampled.

SciPy computes what ScaleIntensityRange, GaussianSmooth and SpatialResample of MONAI do, without the
seconds that each process needs to import these.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import affine_transform, correlate1d
from scipy.special import erf

from graft.common.files import InputError
from graft.grids.grid import Grid
from graft.grids.volume import Volume

COARSER = 1.5  # a patch this many times as coarse as its scan needs smoothing before resampling
FWHM = 2 * np.sqrt(2 * np.log(2))  # full width at half maximum of a Gaussian, in deviations
KERNEL_REACH = 4  # standard deviations at which the kernel of the Gaussian ends
TIE = 1e-6  # voxels by which the middle between two voxels is nearer to the next
INTERPOLATION_MARGIN = 2  # voxels on each side of the patch, for the interpolation


@dataclass(frozen=True)
class PatchGrid:
    """The grid of one patch, always with three dimensions."""

    affine: np.ndarray  # (4, 4) to mm, RAS+
    size: np.ndarray  # (3,) voxels
    sigma: np.ndarray  # (3,) of the smoothing before it, in voxels of the scan

    def to_mm(self, indices: np.ndarray) -> np.ndarray:
        """The positions of indices in mm, RAS+: (N, 3) to (N, 3)."""
        return indices @ self.affine[:3, :3].T + self.affine[:3, 3]


def cut_patch(volume: Volume, centre: np.ndarray, grid: Grid) -> np.ndarray:
    """Cut the patch around a point in mm, RAS+: (1, *patch) float32 in [0, 1], axes to R, A, S.

    0 is the window's floor, and what lies outside the scan. A patch of two dimensions is the axial
    plane through the point. One linear interpolation does orientation, spacing and crop together.
    Along axes where the patch is much coarser than the scan, a Gaussian comes first. Without it,
    noise and edges too fine for the patch would alias into it as texture.

    Raises InputError if the point lies outside the scan, or if the patch has NaN or only one value.
    """
    shape = volume.voxels.shape
    index = volume.to_index(centre)
    where = f"{volume.path.name}: the lesion at {_format(centre)} mm (RAS+)"
    is_inside = (index >= -0.5) & (index <= np.array(shape) - 0.5)  # false for NaN
    if not is_inside.all():
        raise InputError(
            f"{where}, voxel {_format(index)}, lies outside the scan, "
            f"expected one of its {_format(np.array(shape))} voxels"
        )
    target = patch_grid(volume, centre, grid)
    crop, affine = _read_crop(volume, target)
    is_finite = np.isfinite(crop)
    if not is_finite.all():
        raise InputError(
            f"{where} has {(~is_finite).sum()} voxels around it that are NaN or infinite, "
            "expected numbers"
        )
    patch = _resample(crop, affine, target, grid.window)
    if not np.isfinite(patch).all():
        raise InputError(
            f"{where} is NaN after the window {list(grid.window)}, expected another window"
        )
    if patch.min() == patch.max():
        raise InputError(
            f"{where} has a patch that is {patch.min():g} everywhere after the window "
            f"{list(grid.window)}, expected a picture "
            f"(its voxels are {crop.min():g} to {crop.max():g})"
        )
    return patch.reshape(1, *grid.patch)


def cut_mask(mask: Volume, centre: np.ndarray, grid: Grid) -> np.ndarray:
    """Cut the patch of a mask that matches `cut_patch`: (*patch) uint8, 1 inside the lesion.

    A voxel takes the value of the mask's voxel nearest to its middle: a mean of several would lose
    structures one voxel wide. Voxels of the mask above 0 are inside. All are 0 if the mask does not
    reach the patch.
    """
    target = patch_grid(mask, centre, grid)
    indices = np.indices(tuple(target.size)).reshape(3, -1).T
    middles = target.to_mm(indices)  # (voxels, 3)
    nearest = np.floor(mask.to_index(middles) + 0.5 + TIE).astype(int)
    is_within = ((nearest >= 0) & (nearest < mask.voxels.shape)).all(1)
    inside = np.zeros(len(nearest), np.uint8)
    inside[is_within] = np.asarray(mask.voxels)[tuple(nearest[is_within].T)] > 0
    return inside.reshape(grid.patch)


def smoothing_sigma(affine: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """The Gaussian (3,) that gives a scan the point spread of a coarser grid, in voxels.

    σ = √(k² - 1) / FWHM if the grid is k times as coarse as the scan (Cardoso et al., "Scale Factor
    Point Spread Function Matching", MICCAI 2015, with both point spreads as wide as a voxel), and 0
    if k ≤ COARSER.
    """
    k = 1 / np.linalg.norm(affine[:3, :3] / spacing[:, None], axis=0)
    sigma = np.sqrt(np.maximum(k**2 - 1, 0)) / FWHM
    return np.where(k > COARSER, sigma, 0.0)


def patch_grid(volume: Volume, centre: np.ndarray, grid: Grid) -> PatchGrid:
    """The grid of the patch around a point in mm, RAS+."""
    size = np.array(grid.patch)
    spacing = np.array(grid.spacing)
    if len(size) == 2:
        # As thin as the scan's finest voxel side: a plane, not a mean.
        thickness = np.linalg.norm(volume.affine[:3, :3], axis=0).min()
        size = np.append(size, 1)
        spacing = np.append(spacing, thickness)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = centre - spacing * (size - 1) / 2
    return PatchGrid(affine, size, smoothing_sigma(volume.affine, spacing))


def _read_crop(volume: Volume, target: PatchGrid) -> tuple[np.ndarray, np.ndarray]:
    """The voxels (I, J, K) float32 that the target grid needs, and their affine."""
    ends = [(0, count - 1) for count in target.size]
    corners = np.stack(np.meshgrid(*ends), axis=-1).reshape(-1, 3)
    corners = volume.to_index(target.to_mm(corners))  # (8, 3)
    margin = INTERPOLATION_MARGIN + np.ceil(KERNEL_REACH * target.sigma)
    start = np.maximum(np.floor(corners.min(0)) - margin, 0).astype(int)
    stop = np.ceil(corners.max(0)) + margin + 1
    stop = np.minimum(stop, volume.voxels.shape).astype(int)
    box = tuple(slice(*ends) for ends in zip(start, stop, strict=True))
    # Numbers beyond float32 become infinity, which `cut_patch` refuses.
    with np.errstate(over="ignore", invalid="ignore"):
        crop = np.asarray(volume.voxels[box]).astype(np.float32)
    affine = volume.affine.copy()
    affine[:3, 3] = volume.to_mm(start)
    return crop, affine


def _resample(
    crop: np.ndarray, affine: np.ndarray, target: PatchGrid, window: tuple[float, float]
) -> np.ndarray:
    """The crop on the target grid, windowed: (*size) float32 in [0, 1]."""
    low, high = window
    with np.errstate(over="ignore", invalid="ignore"):  # NaN is refused by `cut_patch`
        image = ((crop - low) / (high - low)).clip(0, 1)
    for axis, sigma in enumerate(target.sigma):
        if sigma:
            image = correlate1d(image, _gaussian(sigma), axis, mode="constant")
    to_index = (
        np.linalg.inv(affine) @ target.affine
    )  # from an index of the patch to one of the crop
    patch = affine_transform(
        image,
        to_index[:3, :3],
        to_index[:3, 3],
        tuple(target.size),
        output=np.float64,
        order=1,  # linear
        mode="grid-constant",  # 0 outside of the crop
    )
    return patch.clip(0, 1).astype(np.float32)


def _gaussian(sigma: float) -> np.ndarray:
    """A Gaussian kernel (2n + 1,): the integral of its density over each voxel."""
    reach = int(max(KERNEL_REACH * sigma, 0.5) + 0.5)
    edges = np.arange(-reach - 0.5, reach + 1)
    return np.diff(erf(edges / (sigma * np.sqrt(2)))) / 2


def _format(numbers: np.ndarray) -> str:
    rounded = np.round(np.asarray(numbers, float), 1)
    return "(" + ", ".join(f"{number:g}" for number in rounded) + ")"
