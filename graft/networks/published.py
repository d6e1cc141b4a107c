"""Networks of torchvision and MONAI, in the form that published weights were learnt with.

`torchvision-resnet18`, `34` and `50` take planes; `...-planes` takes the three planes through the middle of a volume,
and `...-inflated` a whole volume, with kernels repeated along the third axis. `video-*` are torchvision's for videos:
the slices of a volume are their frames. `medicalnet-*` are MONAI's for volumes.
"""

import torch
from torch import Tensor, nn

from graft.networks.layers import GlobalMean, inflate, reproducible

RESNETS = ("torchvision-resnet18", "torchvision-resnet34", "torchvision-resnet50")
DIMENSIONS = {
    **dict.fromkeys(RESNETS, 2),
    **{f"{name}-{form}": 3 for name in RESNETS for form in ("planes", "inflated")},
    **dict.fromkeys(("video-r3d_18", "video-mc3_18", "video-r2plus1d_18"), 3),
    **dict.fromkeys(
        (
            "medicalnet-resnet10",
            "medicalnet-resnet18",
            "medicalnet-resnet34",
            "medicalnet-resnet50",
        ),
        3,
    ),
}
HEAD = "fc."
PUBLISHED = {
    "torchvision": "IMAGENET1K_V1",
    "video": "KINETICS400_V1",
}  # of torchvision's enums of weights


def build_published(name: str, channels: int, classes: int, norm: str) -> nn.Module:
    """A network with fresh weights that maps images (B, channels, *patch) in [0, 1] to logits (B, classes).

    Its tensors have the library's names. With the library's weights and the norm `frozen` it gives what the library's
    own network gives in evaluation mode for images less the mean and by the standard deviation that belong to them.
    """
    family, kind, *form = name.split("-")
    network = reproducible(
        _medicalnet(kind, channels, classes)
        if family == "medicalnet"
        else _torchvision(kind, channels, classes),
        norm,
    )
    mean, std = ([0.5], [0.25]) if family == "medicalnet" else _mean_and_std(name)
    for what, values in (("mean", mean), ("std", std)):
        values = values if len(values) == channels else [sum(values) / len(values)] * channels
        network.register_buffer(f"input_{what}", torch.tensor(values), persistent=False)
    network.register_forward_pre_hook(_standardise)
    if family == "video":
        network.register_forward_pre_hook(_slices_as_frames)
    if form == ["inflated"]:
        inflate(network)
    if form == ["planes"]:
        network.register_forward_pre_hook(_three_planes)
        network.avgpool = MeanOfPlanes()
    return network


def published_weights(name: str):
    """Torchvision's enum entry of the weights for a network: its file's address, and its mean and deviation."""
    from torchvision.models import get_model_weights

    family, kind, *_ = name.split("-")
    return get_model_weights(kind)[PUBLISHED[family]]


class MeanOfPlanes(GlobalMean):
    """Mean over the plane and over the three planes of each volume: (3·B, F, H, W) to (B, F, 1, 1).

    A shared trunk whose features are averaged over views (Su et al., "Multi-view Convolutional Neural Networks", ICCV
    2015; Setio et al., IEEE TMI 2016, for lung nodules), and not three planes as three colours: the colours of
    one pixel are of one place, those of three planes are not.
    """

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).unflatten(0, (3, -1)).mean(0)


class PaddedShortcut(nn.Module):
    """Every second voxel, with planes of zeros behind: the parameterless shortcut of He et al. (2016), option A.

    MONAI's own gives the same but stops the gradient.
    """

    def __init__(self, planes: int) -> None:
        super().__init__()
        self.planes = planes

    def forward(self, x: Tensor) -> Tensor:
        x = x[:, :, ::2, ::2, ::2]
        return torch.cat([x, x.new_zeros(len(x), self.planes - x.shape[1], *x.shape[2:])], 1)


def _torchvision(kind: str, channels: int, classes: int) -> nn.Module:
    from torchvision.models import get_model

    network = get_model(kind, weights=None, num_classes=classes)
    if channels != 3:
        holder, name = (network, "conv1") if kind.startswith("resnet") else (network.stem, "0")
        stem = getattr(holder, name)
        fresh = type(stem)(
            channels, stem.out_channels, stem.kernel_size, stem.stride, stem.padding, bias=False
        )
        nn.init.kaiming_normal_(fresh.weight, mode="fan_out", nonlinearity="relu")
        setattr(holder, name, fresh)
    return network


def _medicalnet(kind: str, channels: int, classes: int) -> nn.Module:
    from monai.networks import nets
    from monai.networks.nets.resnet import get_medicalnet_pretrained_resnet_args

    bias, shortcut = get_medicalnet_pretrained_resnet_args(int(kind.removeprefix("resnet")))
    network = getattr(nets, kind)(
        spatial_dims=3,
        n_input_channels=channels,
        num_classes=classes,
        conv1_t_stride=2,
        bias_downsample=bias,
        shortcut_type=shortcut,
    )
    if shortcut == "A":
        for layer in (network.layer2, network.layer3, network.layer4):
            layer[0].downsample = PaddedShortcut(layer[0].conv1.out_channels)
    return network


def _mean_and_std(name: str) -> tuple[list[float], list[float]]:
    preset = published_weights(name).transforms()
    return preset.mean, preset.std


def _standardise(network: nn.Module, inputs: tuple[Tensor]) -> Tensor:
    (x,) = inputs  # (B, C, *patch)
    shape = (-1, *[1] * (x.ndim - 2))
    return (x - network.input_mean.view(shape)) / network.input_std.view(shape)


def _slices_as_frames(_: nn.Module, inputs: tuple[Tensor]) -> Tensor:
    return inputs[0].movedim(
        -1, 2
    )  # (B, C, R, A, S) to (B, C, S, R, A): each frame is an axial plane


def _three_planes(_: nn.Module, inputs: tuple[Tensor]) -> Tensor:
    (x,) = inputs  # (B, C, side, side, side)
    return torch.cat(
        [x.select(axis, x.shape[axis] // 2) for axis in (4, 3, 2)]
    )  # (3·B, C, side, side)
