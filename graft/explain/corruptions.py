"""Image corruptions: noise, blur, thicker slices and a shifted intensity window."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

OF_WINDOW = "of the window"


@dataclass(frozen=True)
class Corruption:
    """One kind of corruption in one amount; `unit` is "of the window", "mm" or "voxels"."""

    name: str
    amount: float
    unit: str


def corruption_sweep(dimensions: int, spacing: list[float] | None) -> list[Corruption]:
    """List every kind of corruption in three amounts, the mildest first.

    Args:
        dimensions: of the images. Those of two have no slices, so their thickness is left out.
        spacing: mm per voxel along each axis, or None.
    """
    length = "mm" if spacing else "voxels"
    slice_mm = spacing[-1] if spacing else 1.0
    thicknesses = [round(times * slice_mm, 6) for times in (2, 3, 5)]
    kinds: list[tuple[str, list[float], str]] = [
        ("noise", [0.05, 0.1, 0.2], OF_WINDOW),
        ("blur", [0.5, 1.0, 2.0], length),
        ("slice thickness", thicknesses, length),
        ("window shift up", [0.05, 0.1, 0.2], OF_WINDOW),
        ("window shift down", [0.05, 0.1, 0.2], OF_WINDOW),
    ]
    sweep = []
    for name, amounts, unit in kinds:
        if name == "slice thickness" and dimensions != 3:
            continue
        for amount in amounts:
            sweep.append(Corruption(name, amount, unit))
    return sweep


def corrupt_images(
    corruption: Corruption,
    images: np.ndarray,
    spacing: list[float] | None,
    generator: np.random.Generator,
) -> np.ndarray:
    """Corrupt images (N, C, *patch) in [0, 1].

    noise: white Gaussian noise with the standard deviation `amount`.
    blur: a Gaussian with the standard deviation `amount` along every axis.
    slice thickness: means over slices of `amount` along the last axis, interpolated to the patch.
    window shift: every voxel becomes brighter (up) or darker (down) by `amount`.

    An amount of 0 changes nothing.

    Args:
        corruption: the kind and the amount.
        images: (N, C, *patch) in [0, 1].
        spacing: mm per voxel along each axis. Without one, lengths are in voxels.
        generator: draws the noise.

    Returns:
        float32 of the same shape, clipped to [0, 1].

    Raises:
        ValueError: if the corruption is unknown.
    """
    if corruption.name not in KINDS:
        raise ValueError(f"corruption: got {corruption.name!r}, expected one of {', '.join(KINDS)}")
    images = np.asarray(images, np.float32)
    if not corruption.amount:
        return images
    mm = np.array(spacing or [1.0] * (images.ndim - 2))
    corrupt = KINDS[corruption.name]
    return corrupt(images, corruption.amount, mm, generator).clip(0, 1)


# Maps images (N, C, *patch), an amount, mm per voxel and a generator to images of the same shape.
Corrupt = Callable[[np.ndarray, float, np.ndarray, np.random.Generator], np.ndarray]


def _noise(
    images: np.ndarray, amount: float, mm: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    return images + np.float32(amount) * generator.standard_normal(images.shape, np.float32)


def _blur(
    images: np.ndarray, amount: float, mm: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    from scipy.ndimage import gaussian_filter  # late: it takes a tenth of a second

    return gaussian_filter(images, (0, 0, *amount / mm), mode="nearest")


def _thicker_slices(
    images: np.ndarray, amount: float, mm: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    patch = images.shape[2:]
    slices = max(1, round(patch[-1] * mm[-1] / amount))
    if slices >= patch[-1]:  # they are as thick already
        return images
    means = F.interpolate(torch.from_numpy(images), (*patch[:-1], slices), mode="area")
    return F.interpolate(means, patch, mode="trilinear").numpy()


def _window_shift_up(
    images: np.ndarray, amount: float, mm: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    return images + np.float32(amount)


def _window_shift_down(
    images: np.ndarray, amount: float, mm: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    return images - np.float32(amount)


KINDS: dict[str, Corrupt] = {
    "noise": _noise,
    "blur": _blur,
    "slice thickness": _thicker_slices,
    "window shift up": _window_shift_up,
    "window shift down": _window_shift_down,
}
