"""Random transforms of a batch: first the parameters are drawn, then a pure function applies them."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from graft.training.settings import Augment


@dataclass(frozen=True)
class Transform:
    """One transform for each of B samples of D dimensions.

    `affine` (B, D, D + 1) maps voxels of the result to voxels of the source, both counted from the
    centre of the patch, axes in array order. Intensities x become (x − ½)·contrast + ½ + brightness
    plus Gaussian noise of standard deviation `noise`; the three have the shape (B,).
    """

    affine: Tensor
    contrast: Tensor
    brightness: Tensor
    noise: Tensor
    seed: int


def draw(limits: Augment, count: int, dimensions: int, random: np.random.Generator) -> Transform:
    """Draw `count` transforms within the limits of params.yaml's `augment`."""
    flip = np.where(random.random((count, dimensions)) < limits.flip, -1.0, 1.0)
    scale = 1 + random.uniform(-limits.scale, limits.scale, (count, 1))
    shift = random.uniform(-limits.shift, limits.shift, (count, dimensions, 1))
    linear = (
        _rotations(random, count, dimensions, math.radians(limits.rotate))
        * (flip * scale)[:, None, :]
    )
    contrast = 1 + random.uniform(-limits.contrast, limits.contrast, count)
    brightness = random.uniform(-limits.brightness, limits.brightness, count)
    noise = random.uniform(0, limits.noise, count)
    numbers = (np.concatenate([linear, shift], axis=2), contrast, brightness, noise)
    return Transform(
        *(torch.from_numpy(n).float() for n in numbers), seed=int(random.integers(2**62))
    )


def apply(images: Tensor, transform: Transform) -> Tensor:
    """Transform images (B, C, *spatial) in [0, 1]; the batch is resampled once, linearly.

    Voxels from outside the patch repeat its border; intensities are clipped to [0, 1].
    """
    device = images.device
    grid = F.affine_grid(
        _normalised(transform.affine, images.shape[2:]).to(device),
        images.shape,
        align_corners=False,
    )
    images = F.grid_sample(
        images, grid, padding_mode="border", align_corners=False
    )  # (B, C, *spatial)
    each = (-1, *[1] * (images.ndim - 1))
    contrast, brightness, noise = (
        t.to(device).view(each) for t in (transform.contrast, transform.brightness, transform.noise)
    )
    images = (images - 0.5) * contrast + 0.5 + brightness
    if transform.noise.any():
        random = torch.Generator(device).manual_seed(transform.seed)
        images = images + noise * torch.randn(images.shape, generator=random, device=device)
    return images.clamp(0, 1)


def _rotations(
    random: np.random.Generator, count: int, dimensions: int, limit: float
) -> np.ndarray:
    """Products of one rotation in each plane of two axes: (count, D, D)."""
    product = np.broadcast_to(np.eye(dimensions), (count, dimensions, dimensions))
    for first, second in [(a, b) for a in range(dimensions) for b in range(a + 1, dimensions)]:
        angle = random.uniform(-limit, limit, count)
        plane = np.tile(np.eye(dimensions), (count, 1, 1))
        plane[:, first, first] = plane[:, second, second] = np.cos(angle)
        plane[:, first, second], plane[:, second, first] = -np.sin(angle), np.sin(angle)
        product = product @ plane
    return product


def _normalised(affine: Tensor, shape: torch.Size) -> Tensor:
    """The same maps in the coordinates of `grid_sample`: [-1, 1] over each axis, last axis first."""
    half = torch.tensor(shape, dtype=affine.dtype) / 2
    linear = affine[:, :, :-1] * half / half[:, None]
    shift = affine[:, :, -1:] / half[:, None]
    return torch.cat([linear.flip(1, 2), shift.flip(1)], 2)
