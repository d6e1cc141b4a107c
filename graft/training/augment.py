"""Random transforms of a batch: first draw their parameters, then apply them by a pure function."""

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

    `affine` (B, D, D + 1) maps voxels of the result to voxels of the source. Both are counted from
    the centre of the patch, with the axes in array order. An intensity x becomes
    (x − ½)·contrast + ½ + brightness, plus Gaussian noise with the standard deviation `noise`.
    These three have the shape (B,).
    """

    affine: Tensor
    contrast: Tensor
    brightness: Tensor
    noise: Tensor
    seed: int


def draw(limits: Augment, count: int, dimensions: int, random: np.random.Generator) -> Transform:
    """Draw `count` transforms within the limits."""
    mirrored = random.random((count, dimensions)) < limits.flip
    flip = np.where(mirrored, -1.0, 1.0)  # (B, D)
    scale = 1 + random.uniform(-limits.scale, limits.scale, (count, 1))
    shift = random.uniform(-limits.shift, limits.shift, (count, dimensions, 1))  # voxels
    rotation = _rotations(random, count, dimensions, math.radians(limits.rotate))
    linear = rotation * (flip * scale)[:, None, :]  # (B, D, D)
    contrast = 1 + random.uniform(-limits.contrast, limits.contrast, count)
    brightness = random.uniform(-limits.brightness, limits.brightness, count)
    noise = random.uniform(0, limits.noise, count)
    return Transform(
        affine=_as_tensor(np.concatenate([linear, shift], axis=2)),
        contrast=_as_tensor(contrast),
        brightness=_as_tensor(brightness),
        noise=_as_tensor(noise),
        seed=int(random.integers(2**62)),
    )


def apply(images: Tensor, transform: Transform) -> Tensor:
    """Transform images (B, C, *spatial) in [0, 1]. The batch is resampled once, linearly.

    Voxels from outside the patch repeat its border. Intensities are clipped to [0, 1].
    """
    device = images.device
    affine = _normalised(transform.affine, images.shape[2:]).to(device)
    grid = F.affine_grid(affine, list(images.shape), align_corners=False)
    images = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    each = (-1, *[1] * (images.ndim - 1))
    contrast = transform.contrast.to(device).view(each)  # (B, 1, ..., 1)
    brightness = transform.brightness.to(device).view(each)
    images = (images - 0.5) * contrast + 0.5 + brightness
    if transform.noise.any():
        random = torch.Generator(device).manual_seed(transform.seed)
        noise = torch.randn(images.shape, generator=random, device=device)
        images = images + transform.noise.to(device).view(each) * noise
    return images.clamp(0, 1)


def _as_tensor(numbers: np.ndarray) -> Tensor:
    return torch.from_numpy(numbers).float()


def _rotations(
    random: np.random.Generator, count: int, dimensions: int, limit: float
) -> np.ndarray:
    """Products of one rotation in each plane of two axes: (count, D, D)."""
    product = np.broadcast_to(np.eye(dimensions), (count, dimensions, dimensions))
    for first, second in combinations(range(dimensions), 2):
        angle = random.uniform(-limit, limit, count)
        plane = np.tile(np.eye(dimensions), (count, 1, 1))
        plane[:, first, first] = np.cos(angle)
        plane[:, second, second] = np.cos(angle)
        plane[:, first, second] = -np.sin(angle)
        plane[:, second, first] = np.sin(angle)
        product = product @ plane
    return product


def _normalised(affine: Tensor, shape: torch.Size) -> Tensor:
    """The same maps as `grid_sample` takes them: [-1, 1] along each axis, the last axis first."""
    half = torch.tensor(shape, dtype=affine.dtype) / 2
    linear = affine[:, :, :-1] * half / half[:, None]
    shift = affine[:, :, -1:] / half[:, None]
    return torch.cat([linear.flip(1, 2), shift.flip(1)], 2)
