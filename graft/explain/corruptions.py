"""Image corruptions: noise, blur, thicker slices and a shifted intensity window."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

OF_WINDOW = "of the window"
BLUR_MARGIN = 4  # standard deviations by which a patch is extended before it is blurred


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
    patch = images.shape[2:]
    mm = np.array(spacing or [1.0] * len(patch))
    make_transform = KINDS[corruption.name]
    transform = make_transform(corruption.amount, mm, patch, generator)
    corrupted = [np.asarray(transform(torch.from_numpy(image))) for image in images]
    return np.stack(corrupted).clip(0, 1)


# Maps one image (C, *patch) to another of the same shape.
Transform = Callable[[Tensor], Tensor | np.ndarray]


def _noise(
    amount: float,
    mm: np.ndarray,
    patch: tuple[int, ...],
    generator: np.random.Generator,
) -> Transform:
    from monai.transforms.intensity.array import RandGaussianNoise

    noise = RandGaussianNoise(
        prob=1.0,
        std=amount,
        sample_std=False,
    )
    noise.set_random_state(int(generator.integers(2**32)))
    return noise


def _blur(
    amount: float,
    mm: np.ndarray,
    patch: tuple[int, ...],
    generator: np.random.Generator,
) -> Transform:
    from monai.transforms.intensity.array import GaussianSmooth

    sigma = amount / mm  # voxels
    margins = np.ceil(BLUR_MARGIN * sigma).astype(int)
    padding = [(0, 0), *((margin, margin) for margin in margins)]
    smooth = GaussianSmooth(sigma.tolist())

    def blur(image: Tensor) -> Tensor:
        # MONAI's filter assumes 0 beyond the patch, which is the lower end of the window.
        padded = np.pad(image.numpy(), padding, mode="edge")
        blurred = smooth(torch.from_numpy(padded))
        for axis, (margin, side) in enumerate(zip(margins, patch, strict=True), start=1):
            blurred = blurred.narrow(axis, int(margin), side)
        return blurred

    return blur


def _thicker_slices(
    amount: float,
    mm: np.ndarray,
    patch: tuple[int, ...],
    generator: np.random.Generator,
) -> Transform:
    from monai.transforms import Compose
    from monai.transforms.spatial.array import Resize

    slices = max(1, round(patch[-1] * mm[-1] / amount))
    if slices >= patch[-1]:  # they are as thick already
        return lambda image: image
    average = Resize((*patch[:-1], slices), mode="area")
    interpolate = Resize(patch, mode="trilinear")
    return Compose([average, interpolate])


def _window_shift_up(
    amount: float,
    mm: np.ndarray,
    patch: tuple[int, ...],
    generator: np.random.Generator,
) -> Transform:
    from monai.transforms.intensity.array import ShiftIntensity

    return ShiftIntensity(amount)


def _window_shift_down(
    amount: float,
    mm: np.ndarray,
    patch: tuple[int, ...],
    generator: np.random.Generator,
) -> Transform:
    return _window_shift_up(-amount, mm, patch, generator)


KINDS: dict[str, Callable[..., Transform]] = {
    "noise": _noise,
    "blur": _blur,
    "slice thickness": _thicker_slices,
    "window shift up": _window_shift_up,
    "window shift down": _window_shift_down,
}
