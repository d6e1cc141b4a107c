"""The sizes that a network is built for."""

from dataclasses import dataclass
from typing import Literal

Norm = Literal["group", "frozen"]


@dataclass(frozen=True)
class NetworkShape:
    """What a builder needs to know.

    Attributes:
        patch: the sides of the patch in voxels, two or three numbers.
        channels: the number of channels of the images.
        classes: the number of classes.
        width: the number of planes of the first block of `resnet`; other networks ignore it.
        norm: what replaces the BatchNorm of a library. `group` is GroupNorm. `frozen` is
            FrozenNorm, for weights that come with statistics.
    """

    patch: tuple[int, ...]
    channels: int
    classes: int
    width: int
    norm: Norm = "group"
