"""Augmentation of a batch at once, beside MONAI's transforms sample by sample.

    python -m benchmarks.augment

Times the augmentation of 16 patches of 32³: `graft.training.augment`, which resamples the batch once, and the MONAI transforms
that do the same to one sample at a time, stock and with lazy resampling (flips and the affine map in one). Limits are
those of params.yaml. Takes about 10 seconds on the CPU.
"""

import math
import time
from collections.abc import Callable
from statistics import median

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

from graft.config.parameters import load_parameters
from graft.console import run, say
from graft.training import augment
from graft.training.settings import Augment

BATCH, PATCH = 16, (32, 32, 32)
REPEATS = 20  # timed, after one that is not


def main() -> None:
    limits = load_parameters(Path("params.yaml")).augment
    images = torch.rand(
        BATCH, 1, *PATCH, generator=torch.Generator().manual_seed(0)
    )  # (B, C, *spatial)
    random = np.random.default_rng(0)
    ours = _time(lambda: augment.apply(images, augment.draw(limits, BATCH, len(PATCH), random)))
    say(
        f"augmenting {BATCH} patches of {' x '.join(map(str, PATCH))}, {torch.get_num_threads()} threads"
    )
    say(f"  graft, the batch at once     {ours * 1e3:7.1f} ms")
    for name, lazy in (("stock", False), ("lazy", True)):
        theirs = _time(lambda transform=monai(limits, lazy): one_by_one(transform, images))
        say(
            f"  MONAI one by one, {name:10} {theirs * 1e3:7.1f} ms, graft is {theirs / ours:.1f} times as fast"
        )


def monai(limits: Augment, lazy: bool) -> Compose:
    """What `graft.training.augment` does, as MONAI transforms of one sample (C, *spatial)."""
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


def one_by_one(transform: Compose, images: Tensor) -> Tensor:
    """Every sample of a batch (B, C, *spatial) through a transform."""
    return torch.stack([transform(image).as_tensor() for image in images])


def _time(call: Callable[[], Tensor]) -> float:
    """Median seconds of a call."""
    seconds = []
    for _ in range(1 + REPEATS):
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
    return median(seconds[1:])


if __name__ == "__main__":
    run(main)
