"""The small networks that graft defines itself, for patches of two or three dimensions."""

import math

from torch import Tensor, nn

from graft.networks.layers import GROUPS, MaxPool
from graft.networks.shape import NetworkShape


class SimpleCNN(nn.Module):
    """Conv 32, pool, conv 64, pool, fc 128, fc classes: the classical small CNN for 32×32 pixels.

    Max pooling keeps its exact value. Its gradient differs from that of `nn.MaxPool2d` only if two
    voxels of a block are equal. Then they share it.
    """

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        conv = _convolution(len(shape.patch))
        cells = math.prod(side // 4 for side in shape.patch)  # after two halvings
        self.conv1 = conv(shape.channels, 32, 3, padding=1)
        self.conv2 = conv(32, 64, 3, padding=1)
        self.pool = MaxPool(2)
        self.hidden = nn.Linear(64 * cells, 128)
        self.head = nn.Linear(128, shape.classes)

    def forward(self, x: Tensor) -> Tensor:
        """Maps images (B, C, *patch) to logits (B, classes)."""
        x = self.pool(self.conv1(x).relu())  # (B, 32, *patch / 2)
        x = self.pool(self.conv2(x).relu())  # (B, 64, *patch / 4)
        x = self.hidden(x.flatten(1)).relu()  # (B, 128)
        return self.head(x)  # (B, classes)


class ResNet(nn.Module):
    """A narrow residual network (He et al., 2016) that halves the patch three times by strides.

    It has a stem of stride 2 and two residual blocks: 32³ voxels become 16³, 8³ and 4³.
    """

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        dimensions, width = len(shape.patch), shape.width
        conv = _convolution(dimensions)
        self.stem = conv(shape.channels, width, 5, stride=2, padding=2, bias=False)
        self.norm = nn.GroupNorm(GROUPS, width)
        self.blocks = nn.Sequential(
            ResidualBlock(dimensions, width, 2 * width),
            ResidualBlock(dimensions, 2 * width, 4 * width),
        )
        self.head = nn.Linear(4 * width, shape.classes)

    def forward(self, x: Tensor) -> Tensor:
        """Maps images (B, C, *patch) to logits (B, classes)."""
        x = self.norm(self.stem(x)).relu()  # (B, W, *patch / 2)
        x = self.blocks(x)  # (B, 4W, *patch / 8)
        x = self.pool(x.flatten(2))  # (B, 4W)
        return self.head(x)  # (B, classes)

    def pool(self, x: Tensor) -> Tensor:
        """Maps planes (B, C, V) of V voxels each to (B, C)."""
        return x.mean(2)


class PeakResNet(ResNet):
    """`ResNet` whose head reads half the sum of the mean and the maximum of each plane.

    A mean over the patch hardly shows what few voxels contain, such as a calcification.
    """

    def pool(self, x: Tensor) -> Tensor:
        """Maps planes (B, C, V) of V voxels each to (B, C)."""
        return (x.mean(2) + x.amax(2)) / 2


class ResidualBlock(nn.Module):
    """Two convolutions and a shortcut; the first convolution and the shortcut have stride 2.

    The shortcut takes its stride by indexing. Its convolution then has a fast gradient.
    """

    def __init__(self, dimensions: int, planes: int, out_planes: int) -> None:
        super().__init__()
        conv = _convolution(dimensions)
        self.conv1 = conv(planes, out_planes, 3, stride=2, padding=1, bias=False)
        self.norm1 = nn.GroupNorm(GROUPS, out_planes)
        self.conv2 = conv(out_planes, out_planes, 3, padding=1, bias=False)
        self.norm2 = nn.GroupNorm(GROUPS, out_planes)
        self.shortcut = conv(planes, out_planes, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, planes, *spatial) to (B, out_planes, *spatial / 2)."""
        y = self.norm1(self.conv1(x)).relu()
        y = self.norm2(self.conv2(y))
        every_second = [slice(None, None, 2)] * (x.ndim - 2)
        return (y + self.shortcut(x[(slice(None), slice(None), *every_second)])).relu()


def _convolution(dimensions: int) -> type[nn.Conv2d] | type[nn.Conv3d]:
    return nn.Conv2d if dimensions == 2 else nn.Conv3d
