"""Layers that give the same bytes on every run, on a GPU too, and the same result in every batch.

Pooling is written as slices and means, whose gradients need no atomic additions. PyTorch lists the
backward passes of its own max, average and adaptive pooling as non-deterministic on CUDA.
"""

import math
from collections.abc import Callable
from functools import reduce

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graft.networks.shape import Norm

GROUPS = 8  # into which GroupNorm divides the planes


class MaxPool(nn.Module):
    """Maximum over windows of `kernel` voxels a side, with stride 2, axis by axis."""

    def __init__(self, kernel: int, padding: int = 0) -> None:
        super().__init__()
        self.kernel, self.padding = kernel, padding

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, C, *spatial) to (B, C, *spatial / 2)."""
        return _pool(x, self.kernel, self.padding, torch.maximum)


class HalfMean(nn.Module):
    """Mean over blocks of 2 voxels a side, axis by axis."""

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, C, *spatial) to (B, C, *spatial / 2)."""
        voxels = 2 ** (x.ndim - 2)
        return _pool(x, 2, 0, torch.add) / voxels


class GlobalMean(nn.Module):
    """Mean over all spatial axes."""

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, C, *spatial) to (B, C, 1, 1) or (B, C, 1, 1, 1)."""
        spatial = tuple(range(2, x.ndim))
        return x.mean(spatial, keepdim=True)


class FrozenNorm(nn.Module):
    """Batch normalisation by statistics that stay as loaded; only its scale and shift are trained.

    The mean and variance of a batch of a few lesions are mostly noise. The tensors have the names
    and shapes of those of `nn.BatchNorm2d`, and the result is that layer's in evaluation mode.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, planes: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(planes))
        self.bias = nn.Parameter(torch.zeros(planes))
        self.register_buffer("running_mean", torch.zeros(planes))
        self.register_buffer("running_var", torch.ones(planes))

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, C, *spatial) to the same shape."""
        return F.batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            training=False,
            eps=self.eps,
        )


class InflatedConv(nn.Conv3d):
    """The convolution of a 2D network over volumes, as deep along the third axis as it is wide.

    The third axis is padded with copies of the volume's ends and not with zeros. Take a kernel
    that is repeated along the third axis and divided by its length, and a volume that is constant
    along it. Then the result equals that of the 2D convolution of one slice, at the ends too
    (Carreira and Zisserman, CVPR 2017).
    """

    def __init__(self, flat: nn.Conv2d) -> None:
        padding = flat.padding[0]
        if isinstance(padding, str):
            raise TypeError(f"padding: got {padding!r}, expected a number of voxels")
        super().__init__(
            flat.in_channels,
            flat.out_channels,
            flat.kernel_size[0],
            flat.stride[0],
            (padding, padding, 0),
            bias=flat.bias is not None,
        )
        self.ends = padding
        # torchvision initialises the 2D convolution like this.
        nn.init.kaiming_normal_(self.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, C, D, H, W) to (B, C', D', H', W')."""
        # PyTorch's own replication padding has a non-deterministic backward pass on CUDA.
        before = [x[..., :1]] * self.ends
        behind = [x[..., -1:]] * self.ends
        return super().forward(torch.cat([*before, x, *behind], -1))


def make_reproducible(module: nn.Module, norm: Norm) -> nn.Module:
    """Replace PyTorch's own layers by those above, throughout a network; BatchNorm becomes `norm`.

    `frozen` is FrozenNorm, for weights that were trained with statistics. `group` is GroupNorm, for
    others: a network with fresh weights cannot be trained with statistics that were never measured.
    """
    for name, child in module.named_children():
        replacement = _replacement(child, norm)
        if replacement is None:
            make_reproducible(child, norm)
        else:
            setattr(module, name, replacement)
    return module


def inflate_convolutions(module: nn.Module) -> nn.Module:
    """Replace every 2D convolution by an InflatedConv; call `make_reproducible` first."""
    for name, child in module.named_children():
        if isinstance(child, nn.Conv2d):
            setattr(module, name, InflatedConv(child))
        else:
            inflate_convolutions(child)
    return module


def _replacement(layer: nn.Module, norm: Norm) -> nn.Module | None:
    """The layer to use instead of this one, or None if it may stay."""
    if isinstance(layer, nn.MaxPool2d | nn.MaxPool3d):
        return MaxPool(_one_number(layer.kernel_size), _one_number(layer.padding))
    if isinstance(layer, nn.AvgPool2d | nn.AvgPool3d):
        return HalfMean()
    if isinstance(layer, nn.AdaptiveAvgPool2d | nn.AdaptiveAvgPool3d):
        return GlobalMean()
    if isinstance(layer, nn.BatchNorm2d | nn.BatchNorm3d):
        if norm == "frozen":
            return FrozenNorm(layer.num_features, layer.eps)
        return nn.GroupNorm(math.gcd(GROUPS, layer.num_features), layer.num_features)
    return None


def _one_number(sides: int | tuple[int, ...]) -> int:
    """The side of a window that is equally long along every axis."""
    return sides if isinstance(sides, int) else sides[0]


def _pool(
    x: Tensor,
    kernel: int,
    padding: int,
    combine: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    for axis in range(2, x.ndim):
        if padding:
            edge = x.new_full((*x.shape[:axis], padding, *x.shape[axis + 1 :]), -torch.inf)
            x = torch.cat([edge, x, edge], axis)
        steps = (x.shape[axis] - kernel) // 2 + 1
        before = (slice(None),) * axis
        shifted = [x[(*before, slice(k, k + 2 * steps - 1, 2))] for k in range(kernel)]
        x = reduce(combine, shifted)
    return x
