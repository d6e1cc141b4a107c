"""Augmentation of a batch at once, compared with MONAI's transforms sample by sample.

    python -m benchmarks.augment

Times the augmentation of 16 patches of 32³ voxels by `graft.training.augment`, which resamples
the batch once, and by the MONAI transforms that do the same to one sample at a time. MONAI's are
timed as they come and with lazy resampling, which merges flips and the affine map. The limits are
those of params.yaml. Takes about 20 seconds on a CPU.
"""

import math
from pathlib import Path

import numpy as np
import torch
from monai.transforms import (
    Compose,
    RandAffine,
    RandFlip,
    RandGaussianNoise,
    RandScaleIntensityFixedMean,
    RandShiftIntensity,
    ScaleIntensityRange,
)
from torch import Tensor

from benchmarks.comparison import Comparison, report
from benchmarks.timing import median_seconds
from graft.config.parameters import load_parameters
from graft.console import run
from graft.training import augment
from graft.training.settings import Augment

PARAMETERS = Path(__file__).parents[1] / "params.yaml"
BATCH = 16
PATCH = (32, 32, 32)  # voxels
REPEATS = 20


def main() -> None:
    """Time the augmentation of a batch by graft and by MONAI."""
    limits = load_parameters(PARAMETERS).augment
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(BATCH, 1, *PATCH, generator=generator)  # (B, C, *spatial)
    random = np.random.default_rng(0)

    def augment_batch() -> Tensor:
        return augment.apply(images, augment.draw(limits, BATCH, len(PATCH), random))

    seconds = median_seconds(augment_batch, REPEATS)
    compare_with_monai("default", build_transform(limits, lazy=False), images, seconds)
    compare_with_monai("lazy", build_transform(limits, lazy=True), images, seconds)


def compare_with_monai(name: str, transform: Compose, images: Tensor, graft_seconds: float) -> None:
    """Time MONAI's transforms and report how much faster graft is."""
    seconds = median_seconds(lambda: apply_one_by_one(transform, images), REPEATS)
    what = f"augmentation of {BATCH} patches of {PATCH[0]}³"
    peer = f"MONAI one by one, {name}"
    note = f"threads: {torch.get_num_threads()}"
    report(Comparison(what, "ms", graft_seconds * 1e3, peer, seconds * 1e3, note=note))


def build_transform(limits: Augment, lazy: bool) -> Compose:
    """Return MONAI transforms of a sample (C, *spatial) that do what graft's augmentation does."""
    affine = RandAffine(
        prob=1.0,
        rotate_range=[math.radians(limits.rotate)] * len(PATCH),
        scale_range=[limits.scale] * len(PATCH),
        translate_range=[limits.shift] * len(PATCH),
        mode="bilinear",
        padding_mode="border",
    )
    flips = [RandFlip(prob=limits.flip, spatial_axis=axis) for axis in range(len(PATCH))]
    intensity = [
        RandScaleIntensityFixedMean(prob=1.0, factors=limits.contrast, preserve_range=False),
        RandShiftIntensity(prob=1.0, offsets=limits.brightness),
        RandGaussianNoise(prob=1.0, std=limits.noise),
        ScaleIntensityRange(0.0, 1.0, 0.0, 1.0, clip=True),
    ]
    return Compose([*flips, affine, *intensity], lazy=lazy).set_random_state(0)


def apply_one_by_one(transform: Compose, images: Tensor) -> Tensor:
    """Apply a transform to each sample of a batch (B, C, *spatial)."""
    return torch.stack([transform(image).as_tensor() for image in images])


if __name__ == "__main__":
    run(main)
