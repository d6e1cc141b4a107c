"""Random transforms of a batch.

`draw` draws their parameters. `apply` is a pure function of the images and these parameters.
"""

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from graft.training.settings import Augment


@dataclass(frozen=True)
class Transform:
    """One transform for each of B samples of D dimensions.

    An intensity x in [0, 1] becomes (x − ½)·contrast + ½ + brightness + noise.

    Attributes:
        affine: (B, D, D + 1), maps voxels of the result to voxels of the source. Both are counted
            from the centre of the patch, with the axes in array order.
        contrast: (B,).
        brightness: (B,).
        noise: (B,), the standard deviation of the Gaussian noise.
        seed: of the noise of all samples.
    """

    affine: Tensor
    contrast: Tensor
    brightness: Tensor
    noise: Tensor
    seed: int


def draw(
    limits: Augment,
    count: int,
    dimensions: int,
    random: np.random.Generator,
) -> Transform:
    """Draw a transform for each of B = `count` samples of D = `dimensions`, within the limits."""
    mirrored = random.random((count, dimensions)) < limits.flip
    flip = np.where(mirrored, -1.0, 1.0)  # (B, D)
    scale = 1 + random.uniform(-limits.scale, limits.scale, (count, 1))
    shift = random.uniform(-limits.shift, limits.shift, (count, dimensions, 1))  # voxels
    rotation = _draw_rotations(
        math.radians(limits.rotate),
        count,
        dimensions,
        random,
    )
    stretch = flip * scale  # (B, D)
    linear = rotation * stretch[:, None, :]  # (B, D, D)
    affine = np.concatenate([linear, shift], axis=2)
    contrast = 1 + random.uniform(-limits.contrast, limits.contrast, count)
    brightness = random.uniform(-limits.brightness, limits.brightness, count)
    noise = random.uniform(0, limits.noise, count)
    seed = int(random.integers(2**62))
    return Transform(
        affine=_as_tensor(affine),
        contrast=_as_tensor(contrast),
        brightness=_as_tensor(brightness),
        noise=_as_tensor(noise),
        seed=seed,
    )


def apply(images: Tensor, transform: Transform) -> Tensor:
    """Transform images (B, C, *spatial) in [0, 1]. The batch is resampled once, linearly.

    Voxels from outside the patch repeat its border. Intensities are clipped to [0, 1].
    """
    images = _resample(images, transform.affine)
    contrast = _per_image(transform.contrast, images)
    brightness = _per_image(transform.brightness, images)
    images = (images - 0.5) * contrast + 0.5 + brightness
    if transform.noise.any():
        random = torch.Generator(images.device).manual_seed(transform.seed)
        noise = torch.randn(
            images.shape,
            generator=random,
            device=images.device,
        )
        deviation = _per_image(transform.noise, images)
        images = images + deviation * noise
    return images.clamp(0, 1)


def _as_tensor(numbers: np.ndarray) -> Tensor:
    return torch.from_numpy(numbers).float()


def _draw_rotations(
    limit: float,
    count: int,
    dimensions: int,
    random: np.random.Generator,
) -> np.ndarray:
    """Draw rotations (B, D, D): products of one rotation in each plane of two axes.

    Each of the angles is at most `limit` radians in either direction.
    """
    identity = np.eye(dimensions)
    product = np.broadcast_to(identity, (count, dimensions, dimensions))
    for first, second in combinations(range(dimensions), 2):
        angle = random.uniform(-limit, limit, count)  # (B,)
        cos = np.cos(angle)
        sin = np.sin(angle)
        plane = np.tile(identity, (count, 1, 1))
        plane[:, first, first] = cos
        plane[:, second, second] = cos
        plane[:, first, second] = -sin
        plane[:, second, first] = sin
        product = product @ plane
    return product


def _resample(images: Tensor, affine: Tensor) -> Tensor:
    """Resample images (B, C, *spatial) linearly at the voxels that `affine` (B, D, D + 1) gives."""
    normalised = _normalise(affine, images.shape[2:])
    grid = F.affine_grid(
        normalised.to(images.device),
        list(images.shape),
        align_corners=False,
    )
    return F.grid_sample(
        images,
        grid,
        padding_mode="border",
        align_corners=False,
    )


def _normalise(affine: Tensor, shape: torch.Size) -> Tensor:
    """Convert maps (B, D, D + 1) from voxels to the coordinates of `grid_sample`.

    These are in [-1, 1] along each axis, and the last axis of the array comes first.
    """
    half = torch.tensor(shape, dtype=affine.dtype) / 2  # (D,)
    linear = affine[:, :, :-1] * half / half[:, None]
    shift = affine[:, :, -1:] / half[:, None]
    return torch.cat([linear.flip(1, 2), shift.flip(1)], 2)


def _per_image(numbers: Tensor, images: Tensor) -> Tensor:
    """Move numbers (B,) to the device of images (B, C, *spatial), as (B, 1, ..., 1)."""
    ones = [1] * (images.ndim - 1)
    return numbers.to(images.device).view(-1, *ones)
