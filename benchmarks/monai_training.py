"""The training that a user of MONAI would write: cached data, random transforms, a data loader."""

import math
from collections.abc import Callable

import torch
from monai.data import CacheDataset
from monai.transforms import (
    Compose,
    RandAffined,
    RandFlipd,
    RandGaussianNoised,
    RandScaleIntensityFixedMeand,
    RandShiftIntensityd,
    ScaleIntensityRanged,
)
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from graft.data.task import Samples
from graft.training.settings import Augment

WORKERS = 2


def make_monai_epoch(
    network: nn.Module, samples: Samples, limits: Augment, batch: int
) -> Callable[[], None]:
    """Return a function that trains for an epoch on transformed samples, each of them once.

    The transforms are the ones that graft draws, with the same limits.
    """
    device = next(network.parameters()).device
    images = samples.images.float().cpu()
    labels = samples.labels.cpu()
    items = [{"image": image, "label": label} for image, label in zip(images, labels, strict=True)]
    data = CacheDataset(items, _transforms(limits, images.ndim - 2), progress=False)
    loader = DataLoader(
        data,
        batch_size=batch,
        shuffle=True,
        num_workers=WORKERS,
        persistent_workers=True,
        pin_memory=device.type == "cuda",
    )
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)

    def train() -> None:
        for drawn in loader:
            batch_images = drawn["image"].to(device, non_blocking=True)
            batch_labels = drawn["label"].to(device, non_blocking=True)
            optimizer.zero_grad()
            F.cross_entropy(network(batch_images), batch_labels).backward()
            optimizer.step()

    return train


def _transforms(limits: Augment, dimensions: int) -> Compose:
    flips = []
    for axis in range(dimensions):
        flips.append(RandFlipd("image", prob=limits.flip, spatial_axis=axis))
    affine = RandAffined(
        "image",
        prob=1.0,
        rotate_range=[math.radians(limits.rotate)] * dimensions,
        scale_range=[limits.scale] * dimensions,
        translate_range=[limits.shift] * dimensions,
        mode="bilinear",
        padding_mode="border",
    )
    intensity = [
        RandScaleIntensityFixedMeand(
            "image", prob=1.0, factors=limits.contrast, preserve_range=False
        ),
        RandShiftIntensityd("image", prob=1.0, offsets=limits.brightness),
        RandGaussianNoised("image", prob=1.0, std=limits.noise),
        ScaleIntensityRanged("image", 0.0, 1.0, 0.0, 1.0, clip=True),
    ]
    return Compose([*flips, affine, *intensity]).set_random_state(0)
