"""What can go wrong with a picture on its way: noise, blur, thicker slices, a window that is shifted."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

OF_WINDOW = "of the window"
EDGE = 4  # standard deviations of a blur by which a patch is continued with its edge


@dataclass(frozen=True)
class Corruption:
    """One kind in one amount; `unit` is of the window, mm or, without a spacing, voxels."""

    name: str
    amount: float
    unit: str


def sweep(dimensions: int, spacing: list[float] | None) -> list[Corruption]:
    """Every kind in three amounts, the mildest first; a picture of two dimensions has no slices."""
    length = "mm" if spacing else "voxels"
    last = spacing[-1] if spacing else 1.0
    kinds = [
        ("noise", (0.05, 0.1, 0.2), OF_WINDOW),
        ("blur", (0.5, 1.0, 2.0), length),
        ("slice thickness", tuple(round(times * last, 6) for times in (2, 3, 5)), length),
        ("window shift up", (0.05, 0.1, 0.2), OF_WINDOW),
        ("window shift down", (0.05, 0.1, 0.2), OF_WINDOW),
    ]
    return [
        Corruption(name, amount, unit)
        for name, amounts, unit in kinds
        if dimensions == 3 or name != "slice thickness"
        for amount in amounts
    ]


def corrupt(
    corruption: Corruption,
    images: np.ndarray,
    spacing: list[float] | None,
    generator: np.random.Generator,
) -> np.ndarray:
    """Images (N, C, *spatial) in [0, 1] after a corruption: float32 of the same shape, in [0, 1] again.

    noise: white and Gaussian, `amount` its standard deviation. blur: Gaussian, `amount` its standard deviation along
    every axis. slice thickness: means over slices of `amount` along the last axis, interpolated to the patch again.
    window shift: every voxel lighter (up) or darker by `amount`. An amount of 0 changes nothing.

    Raises ValueError where the corruption is not known.
    """
    if corruption.name not in KINDS:
        raise ValueError(f"corruption: got {corruption.name!r}, expected one of {', '.join(KINDS)}")
    images = np.asarray(images, np.float32)
    if not corruption.amount:
        return images
    mm = np.array(spacing or [1.0] * (images.ndim - 2))
    apply = KINDS[corruption.name](corruption.amount, mm, images.shape[2:], generator)
    return np.stack([np.asarray(apply(torch.from_numpy(image))) for image in images]).clip(0, 1)


Apply = Callable[[torch.Tensor], torch.Tensor]


def _noise(
    amount: float, mm: np.ndarray, patch: tuple[int, ...], generator: np.random.Generator
) -> Apply:
    from monai.transforms.intensity.array import RandGaussianNoise

    add = RandGaussianNoise(prob=1.0, std=amount, sample_std=False)
    return add.set_random_state(int(generator.integers(2**32)))


def _blur(
    amount: float, mm: np.ndarray, patch: tuple[int, ...], generator: np.random.Generator
) -> Apply:
    from monai.transforms.intensity.array import GaussianSmooth

    sigma = amount / mm  # voxels
    margin = np.ceil(EDGE * sigma).astype(int)
    smooth = GaussianSmooth(sigma.tolist())
    inner = (slice(None), *(slice(width, width + side) for width, side in zip(margin, patch)))

    def apply(
        image: torch.Tensor,
    ) -> torch.Tensor:  # beyond the patch MONAI's filter sees 0, the window's floor
        wide = np.pad(image.numpy(), [(0, 0), *((width, width) for width in margin)], mode="edge")
        return smooth(torch.from_numpy(wide))[inner]

    return apply


def _thicker(
    amount: float, mm: np.ndarray, patch: tuple[int, ...], generator: np.random.Generator
) -> Apply:
    from monai.transforms import Compose
    from monai.transforms.spatial.array import Resize

    slices = max(1, round(patch[-1] * mm[-1] / amount))
    if slices >= patch[-1]:  # no thicker than they are
        return lambda image: image
    return Compose([Resize((*patch[:-1], slices), mode="area"), Resize(patch, mode="trilinear")])


def _shift(
    amount: float, mm: np.ndarray, patch: tuple[int, ...], generator: np.random.Generator
) -> Apply:
    from monai.transforms.intensity.array import ShiftIntensity

    return ShiftIntensity(amount)


KINDS: dict[str, Callable[..., Apply]] = {
    "noise": _noise,
    "blur": _blur,
    "slice thickness": _thicker,
    "window shift up": _shift,
    "window shift down": lambda amount, *rest: _shift(-amount, *rest),
}
