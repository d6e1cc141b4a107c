"""Random transforms of a batch.

`draw` draws their parameters. `apply` is a pure function of the images and these parameters.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from graft.training.resample import resample
from graft.training.settings import Augment

NOISE_OFFSETS = 2**20  # places in the bank of noise where the noise of an image may begin


@dataclass(frozen=True)
class Transform:
    """One transform for each of B samples of D dimensions.

    An intensity x in [0, 1] becomes (x − ½)·contrast + ½ + brightness + noise.

    Attributes:
        affine: (B, D, D + 1), maps voxels of the result to voxels of the source. Both are counted
            from the centre of the patch, with the axes in array order.
        contrast: (B,).
        brightness: (B,).
        noise: (B,), the factor of the numbers from the bank: the standard deviation of the
            Gaussian noise, with a random sign.
        offset: (B,) int64, where in the bank the numbers begin.
    """

    affine: Tensor
    contrast: Tensor
    brightness: Tensor
    noise: Tensor
    offset: Tensor

    def map(self, function: Callable[[Tensor], Tensor]) -> "Transform":
        """The transform whose tensors are the results of a function of these tensors."""
        return Transform(**{name: function(tensor) for name, tensor in vars(self).items()})


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
    noise = random.uniform(-limits.noise, limits.noise, count)
    offset = random.integers(NOISE_OFFSETS, size=count)
    return Transform(
        affine=_as_tensor(affine),
        contrast=_as_tensor(contrast),
        brightness=_as_tensor(brightness),
        noise=_as_tensor(noise),
        offset=torch.from_numpy(offset),
    )


def draw_noise(voxels: int, random: np.random.Generator) -> Tensor:
    """Draw the bank: standard normal numbers (NOISE_OFFSETS + voxels − 1,).

    Each image takes its noise from a place of its own in the bank, which is a plain copy. Drawing
    new numbers for each image takes ten times as long. Over all draws, the numbers of an image are
    independent and normally distributed.

    Args:
        voxels: of an image, in all channels.
        random: draws the numbers, once for a training.
    """
    numbers = random.standard_normal(NOISE_OFFSETS + voxels - 1, dtype=np.float32)
    return torch.from_numpy(numbers)


def apply(images: Tensor, transform: Transform, bank: Tensor | None = None) -> Tensor:
    """Transform images (B, C, *spatial) in [0, 1]. The batch is resampled once, linearly.

    Voxels from outside the patch repeat its border. Intensities are clipped to [0, 1].

    Args:
        images: the batch.
        transform: on the device of the images.
        bank: what `draw_noise` drew. Without it there is no noise.
    """
    contrast = _per_image(transform.contrast, images)
    brightness = _per_image(transform.brightness, images)
    images = resample(images, transform.affine)
    images.mul_(contrast).add_(0.5 - 0.5 * contrast + brightness)
    if bank is not None:
        voxels = images[0].numel()
        windows = bank.unfold(0, voxels, 1)  # (NOISE_OFFSETS, voxels), a view
        noise = windows.index_select(0, transform.offset).view_as(images)
        images.addcmul_(noise, _per_image(transform.noise, images))
    return images.clamp_(0, 1)


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


def _per_image(numbers: Tensor, images: Tensor) -> Tensor:
    """Shape numbers (B,) for images (B, C, *spatial), as (B, 1, ..., 1)."""
    ones = [1] * (images.ndim - 1)
    return numbers.view(-1, *ones)
