"""Layers that give the same bytes on every run, on a GPU too, and to each image its own result, whatever the batch.

Pooling is written as slices and means, whose gradients need no atomic additions: PyTorch lists the backward passes
of its own max, average and adaptive pooling as non-deterministic on CUDA.
"""

import math
from collections.abc import Callable
from functools import reduce

import torch
from torch import Tensor, nn
from torch.nn import functional as F

GROUPS = 8  # channels are normalised in groups of an eighth of the planes


class MaxPool(nn.Module):
    """Maximum over windows of `kernel` voxels a side, stride 2, axis by axis."""

    def __init__(self, kernel: int, padding: int = 0) -> None:
        super().__init__()
        self.kernel, self.padding = kernel, padding

    def forward(self, x: Tensor) -> Tensor:
        return _pool(x, self.kernel, self.padding, torch.maximum)


class HalfMean(nn.Module):
    """Mean over blocks of 2 voxels a side, axis by axis."""

    def forward(self, x: Tensor) -> Tensor:
        return _pool(x, 2, 0, torch.add) / 2 ** (x.ndim - 2)


class GlobalMean(nn.Module):
    """Mean over all spatial axes, kept as axes of length 1."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(tuple(range(2, x.ndim)), keepdim=True)


class FrozenNorm(nn.Module):
    """Batch normalisation by statistics that stay as they were loaded; its scale and shift are learnt.

    What batches of a few lesions would say of mean and variance is mostly noise. The tensors have the names and
    shapes of `nn.BatchNorm2d`'s, and the result is that layer's in evaluation mode.
    """

    def __init__(self, planes: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight, self.bias = nn.Parameter(torch.ones(planes)), nn.Parameter(torch.zeros(planes))
        self.register_buffer("running_mean", torch.zeros(planes))
        self.register_buffer("running_var", torch.ones(planes))

    def forward(self, x: Tensor) -> Tensor:
        statistics = self.running_mean, self.running_var
        return F.batch_norm(x, *statistics, self.weight, self.bias, training=False, eps=self.eps)


class InflatedConv(nn.Conv3d):
    """The convolution of a 2D network over volumes: as deep along the third axis as it is wide.

    The third axis is padded with copies of the volume's ends, not with zeros. So a kernel repeated along it and
    divided by its length gives a volume that is constant along it, ends included, what the 2D convolution gives the
    picture (Carreira and Zisserman, CVPR 2017).
    """

    def __init__(self, flat: nn.Conv2d) -> None:
        kernel, stride, padding = (
            pair[0] for pair in (flat.kernel_size, flat.stride, flat.padding)
        )
        super().__init__(
            flat.in_channels,
            flat.out_channels,
            kernel,
            stride,
            (padding, padding, 0),
            bias=flat.bias is not None,
        )
        self.ends = padding
        nn.init.kaiming_normal_(
            self.weight, mode="fan_out", nonlinearity="relu"
        )  # as torchvision starts the 2D one

    def forward(self, x: Tensor) -> Tensor:
        # Slices, as the backward pass of PyTorch's own replication padding is non-deterministic on CUDA.
        return super().forward(
            torch.cat([x[..., :1]] * self.ends + [x] + [x[..., -1:]] * self.ends, -1)
        )


def reproducible(module: nn.Module, norm: str) -> nn.Module:
    """Put the layers above in place of PyTorch's own, throughout a network; BatchNorm becomes `norm`.

    That is `frozen`, FrozenNorm, for weights that were learnt with statistics, or `group`, GroupNorm, for others: a
    network with fresh weights cannot learn under statistics that were never measured.
    """
    for name, child in module.named_children():
        if isinstance(child, nn.MaxPool2d | nn.MaxPool3d):
            setattr(module, name, MaxPool(child.kernel_size, child.padding))
        elif isinstance(child, nn.AvgPool2d | nn.AvgPool3d):
            setattr(module, name, HalfMean())
        elif isinstance(child, nn.AdaptiveAvgPool2d | nn.AdaptiveAvgPool3d):
            setattr(module, name, GlobalMean())
        elif isinstance(child, nn.BatchNorm2d | nn.BatchNorm3d):
            setattr(module, name, _norm(child, norm))
        else:
            reproducible(child, norm)
    return module


def inflate(module: nn.Module) -> nn.Module:
    """Put InflatedConv in place of every 2D convolution, throughout a network; call `reproducible` first."""
    for name, child in module.named_children():
        if isinstance(child, nn.Conv2d):
            setattr(module, name, InflatedConv(child))
        else:
            inflate(child)
    return module


def _norm(batch: nn.BatchNorm2d | nn.BatchNorm3d, norm: str) -> nn.Module:
    if norm == "frozen":
        return FrozenNorm(batch.num_features, batch.eps)
    return nn.GroupNorm(math.gcd(GROUPS, batch.num_features), batch.num_features)


def _pool(
    x: Tensor, kernel: int, padding: int, combine: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    for axis in range(2, x.ndim):
        if padding:
            edge = x.new_full((*x.shape[:axis], padding, *x.shape[axis + 1 :]), -torch.inf)
            x = torch.cat([edge, x, edge], axis)
        steps = (x.shape[axis] - kernel) // 2 + 1
        ahead = (slice(None),) * axis
        x = reduce(combine, [x[(*ahead, slice(k, k + 2 * steps - 1, 2))] for k in range(kernel)])
    return x
