"""Linear resampling of a batch at affine coordinates, fast on a CPU too."""

import torch
from torch import Tensor
from torch.nn import functional as F


def resample(images: Tensor, affine: Tensor) -> Tensor:
    """Resample images (B, C, *spatial) linearly. Voxels from outside the patch repeat its border.

    Args:
        images: of two or three dimensions D.
        affine: (B, D, D + 1), maps voxels of the result to voxels of the source. Both are counted
            from the centre of the patch, with the axes in array order.
    """
    coordinates = _source_voxels(affine, images.shape[2:])
    if len(coordinates) == 2:
        return _sample_planes(images, *coordinates)
    return _sample_volumes(images, *coordinates)


def _source_voxels(affine: Tensor, shape: torch.Size) -> list[Tensor]:
    """The source of each voxel of the result: its index (B, *spatial) along each of D axes.

    An index is a sum of D products, one for each axis of the result, which broadcasting adds up.
    `F.affine_grid` multiplies a matrix with every voxel, and takes twenty times as long.
    """
    by_sample = (-1, *[1] * len(shape))
    voxels = []
    for axis, side in enumerate(shape):
        index = affine[:, axis, -1].view(by_sample) + (side - 1) / 2
        for other, other_side in enumerate(shape):
            from_centre = torch.arange(other_side, device=affine.device) - (other_side - 1) / 2
            along = [1] * len(shape)
            along[other] = other_side
            index = index + affine[:, axis, other].view(by_sample) * from_centre.view(along)
        voxels.append(index)
    return voxels


def _sample_planes(images: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Sample images (B, C, H, W) at the indices y and x (B, H', W') of voxels: (B, C, H', W')."""
    grid = torch.stack([x, y], 1)  # (B, 2, H', W')
    for axis, side in ((0, images.shape[3]), (1, images.shape[2])):
        grid[:, axis].mul_(2 / side).add_(1 / side - 1)  # -1 and 1 are the outer faces of voxels
    return F.grid_sample(
        images,
        grid.movedim(1, -1),
        padding_mode="border",
        align_corners=False,
    )


def _sample_volumes(images: Tensor, z: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Sample images (B, C, D, H, W) at the indices z, y and x (B, D, H, W) of voxels.

    PyTorch's kernel for planes is vectorised on a CPU, and that for volumes is not. So the D
    slices of a volume are laid below each other as one plane, with the following slice of each as
    another channel. One call samples both neighbours along z.
    """
    batch, channels, depth, height, width = images.shape
    z = z.clamp(0, depth - 1)
    slice_before = z.floor()
    row = y.clamp(0, height - 1) + slice_before * height  # never between two slices
    rows = images.reshape(batch, channels, depth * height, width)
    following = torch.cat([rows[:, :, height:], rows[:, :, -height:]], 2)
    sampled = _sample_planes(
        torch.cat([rows, following], 1),
        row.view(batch, depth * height, width),
        x.view(batch, depth * height, width),
    )
    before, behind = sampled.view(batch, 2, channels, depth, height, width).unbind(1)
    return torch.lerp(before, behind, (z - slice_before)[:, None])
