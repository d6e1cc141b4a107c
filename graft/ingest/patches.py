"""Patches: cut out of a volume at a lesion, with nothing read or resampled that the patch does not cover."""

import numpy as np
import torch
from monai.data.meta_tensor import MetaTensor
from monai.transforms.intensity.array import GaussianSmooth, ScaleIntensityRange
from monai.transforms.spatial.array import SpatialResample

from graft.common.files import InputError
from graft.data.domain import Grid
from graft.data.volume import Volume

COARSER = 1.5  # times the source's spacing from which the source is smoothed before it is resampled
FWHM = 2 * np.sqrt(
    2 * np.log(2)
)  # full width at half maximum of a Gaussian, in standard deviations
REACH = 4  # standard deviations at which GaussianSmooth cuts its kernel off
TIE = 1e-6  # voxels by which the middle between two is nearer to the next, whatever its last bit
INTERPOLATION = 2  # voxels more on each side than the patch covers, for the interpolation


def cut(volume: Volume, centre: np.ndarray, grid: Grid) -> np.ndarray:
    """The patch around a point in mm, RAS+: (1, *patch) float32 in [0, 1], its axes towards R, A, S.

    0 is the window's floor, and what lies outside the scan. Of two dimensions, it is the axial plane through
    the point. One linear interpolation does orientation, spacing and crop together. Along axes where the patch
    is much coarser than the scan a Gaussian comes first, or noise and edges too fine for the patch would fold
    back into it as texture.

    Raises InputError where the point lies outside the scan, and where the patch has NaN or one value only.
    """
    index = volume.to_index(centre)
    where = f"{volume.path.name}: the lesion at {_text(centre)} mm (RAS+)"
    if (index < -0.5).any() or (index > np.array(volume.voxels.shape) - 0.5).any():
        raise InputError(
            f"{where}, voxel {_text(index)}, lies outside the scan, expected one of its {_text(volume.voxels.shape)} voxels"
        )
    target, size, sigma = _around(volume, centre, grid)
    crop, affine = _crop(volume, target, size, sigma)
    if not np.isfinite(crop).all():
        raise InputError(
            f"{where} has {(~np.isfinite(crop)).sum()} voxels around it that are NaN or infinite, expected numbers"
        )
    patch = _resample(crop, affine, target, size, sigma, grid.window)
    if patch.min() == patch.max():
        raise InputError(
            f"{where} has a patch that is {patch.min():g} everywhere after the window {list(grid.window)}, "
            f"expected a picture (voxels there go from {crop.min():g} to {crop.max():g})"
        )
    return patch.reshape(1, *grid.patch)


def cut_mask(mask: Volume, centre: np.ndarray, grid: Grid) -> np.ndarray:
    """The patch of a mask that `cut` gives of its image: (*patch) uint8, 1 where the middle of a voxel is inside.

    Voxels of the mask above 0 are inside, as for `graft.ingest.volumes.locate`, and the nearest one counts: a mean over
    several would lose what is a voxel wide. All 0 where the mask misses the patch.
    """
    target, size, _ = _around(mask, centre, grid)
    middles = np.stack(np.indices(size), axis=-1).reshape(-1, 3) @ target[:3, :3].T + target[:3, 3]
    nearest = np.floor(mask.to_index(middles) + 0.5 + TIE).astype(int)  # (voxels, 3)
    within = ((nearest >= 0) & (nearest < mask.voxels.shape)).all(1)
    found = np.zeros(len(nearest), np.uint8)
    found[within] = np.asarray(mask.voxels)[tuple(nearest[within].T)] > 0
    return found.reshape(grid.patch)


def blur(affine: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """The Gaussian (3,), as standard deviations in voxels, that gives a scan the point spread of a coarser grid.

    σ = √(k² − 1) / FWHM where the grid is k times as coarse as the scan (Cardoso et al., "Scale Factor Point
    Spread Function Matching", MICCAI 2015, with both point spreads as wide as a voxel); 0 where k ≤ COARSER.
    """
    k = 1 / np.linalg.norm(affine[:3, :3] / spacing[:, None], axis=0)
    return np.where(k > COARSER, np.sqrt(np.maximum(k**2 - 1, 0)) / FWHM, 0.0)


def _around(
    volume: Volume, centre: np.ndarray, grid: Grid
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The affine (4, 4) of the patch around a point in mm, its size (3,) in voxels, and the blur (3,) before it."""
    size, spacing = np.array(grid.patch), np.array(grid.spacing)
    if len(size) == 2:
        thickness = np.linalg.norm(
            volume.affine[:3, :3], axis=0
        ).min()  # as fine as the scan: a plane, not a mean
        size, spacing = np.append(size, 1), np.append(spacing, thickness)
    target = np.diag([*spacing, 1.0])
    target[:3, 3] = centre - spacing * (size - 1) / 2
    return target, size, blur(volume.affine, spacing)


def _crop(
    volume: Volume, target: np.ndarray, size: np.ndarray, sigma: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The voxels (I, J, K) float32 that the target grid needs, and their affine."""
    ends = np.stack(np.meshgrid(*((0, n - 1) for n in size)), axis=-1).reshape(-1, 3)
    corners = volume.to_index(ends @ target[:3, :3].T + target[:3, 3])  # (8, 3)
    margin = INTERPOLATION + np.ceil(REACH * sigma)
    start = np.maximum(np.floor(corners.min(0)) - margin, 0).astype(int)
    stop = np.minimum(np.ceil(corners.max(0)) + margin + 1, volume.voxels.shape).astype(int)
    with np.errstate(
        over="ignore", invalid="ignore"
    ):  # beyond float32 is infinity, which `cut` refuses
        crop = np.asarray(volume.voxels[tuple(map(slice, start, stop))]).astype(np.float32)
    affine = volume.affine.copy()
    affine[:3, 3] = volume.to_mm(start)
    return crop, affine


def _resample(
    crop: np.ndarray,
    affine: np.ndarray,
    target: np.ndarray,
    size: np.ndarray,
    sigma: np.ndarray,
    window: tuple[float, float],
) -> np.ndarray:
    """The crop on the target grid, windowed: (1, *size) float32 in [0, 1]."""
    image = MetaTensor(
        torch.from_numpy(crop)[None], affine=torch.from_numpy(affine)
    )  # (1, I, J, K)
    image = ScaleIntensityRange(*window, 0.0, 1.0, clip=True)(image)
    if sigma.any():
        image = GaussianSmooth(sigma.tolist())(image)
    resample = SpatialResample(mode="bilinear", padding_mode="zeros", dtype=torch.float64)
    patch = resample(image, dst_affine=torch.from_numpy(target), spatial_size=size.tolist())
    return patch.numpy().clip(0, 1).astype(np.float32)


def _text(numbers: np.ndarray) -> str:
    return (
        "(" + ", ".join(f"{number:g}" for number in np.round(np.asarray(numbers, float), 1)) + ")"
    )
