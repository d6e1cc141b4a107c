"""Networks of torchvision and MONAI, with reproducible layers in place of some of their own.

The libraries are imported late: each takes seconds, and the small networks do not need them.
"""

import torch
from torch import Tensor, nn

from graft.networks.layers import inflate_convolutions, make_reproducible
from graft.networks.shape import NetworkShape


def build_torchvision(
    library_name: str,
    shape: NetworkShape,
    inflated: bool = False,
) -> nn.Module:
    """A network of torchvision under its `library_name`, such as `resnet18` or `r3d_18`.

    With `inflated` the kernels of a 2D network get a third axis, and it takes volumes.
    """
    from torchvision.models import get_model

    network = get_model(library_name, weights=None, num_classes=shape.classes)
    if shape.channels != 3:
        _replace_stem(network, shape.channels)
    network = make_reproducible(network, shape.norm)
    return inflate_convolutions(network) if inflated else network


def build_monai_densenet121(shape: NetworkShape) -> nn.Module:
    """MONAI's DenseNet-121 for two or three dimensions."""
    from monai.networks import nets

    network = nets.DenseNet121(
        spatial_dims=len(shape.patch), in_channels=shape.channels, out_channels=shape.classes
    )
    return make_reproducible(network, shape.norm)


def build_monai_resnet(library_name: str, shape: NetworkShape) -> nn.Module:
    """MONAI's ResNet under its `library_name`, such as `resnet18`, for two or three dimensions."""
    return make_reproducible(_monai_resnet(library_name, shape), shape.norm)


def build_medicalnet(depth: int, shape: NetworkShape) -> nn.Module:
    """MONAI's 3D ResNet in the form that the weights of MedicalNet were trained with."""
    from monai.networks.nets.resnet import get_medicalnet_pretrained_resnet_args

    bias, shortcut = get_medicalnet_pretrained_resnet_args(depth)
    network = _monai_resnet(f"resnet{depth}", shape, bias_downsample=bias, shortcut_type=shortcut)
    if shortcut == "A":
        for name in ("layer2", "layer3", "layer4"):
            block = network.get_submodule(f"{name}.0")
            block.downsample = PaddedShortcut(block.get_parameter("conv1.weight").shape[0])
    return make_reproducible(network, shape.norm)


class PaddedShortcut(nn.Module):
    """Every second voxel, and planes of zeros: the shortcut A of He et al. (2016).

    It has no parameters. MONAI's own shortcut gives the same values but stops the gradient.
    """

    def __init__(self, planes: int) -> None:
        super().__init__()
        self.planes = planes

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, C, D, H, W) to (B, planes, D / 2, H / 2, W / 2)."""
        x = x[:, :, ::2, ::2, ::2]
        zeros = x.new_zeros(x.shape[0], self.planes - x.shape[1], *x.shape[2:])
        return torch.cat([x, zeros], 1)


def _monai_resnet(library_name: str, shape: NetworkShape, **form: object) -> nn.Module:
    from monai.networks import nets

    # MONAI's stem has stride 1, made for large scans. Lesion patches need the 2 of the paper.
    return getattr(nets, library_name)(
        spatial_dims=len(shape.patch),
        n_input_channels=shape.channels,
        num_classes=shape.classes,
        conv1_t_stride=2,
        **form,
    )


def _replace_stem(network: nn.Module, channels: int) -> None:
    """Replace the first convolution, which torchvision made for three channels."""
    is_video = hasattr(network, "stem")
    holder, name = (network.stem, "0") if is_video else (network, "conv1")
    old = getattr(holder, name)
    new = type(old)(
        channels,
        old.out_channels,
        old.kernel_size,
        old.stride,
        old.padding,
        bias=False,
    )
    nn.init.kaiming_normal_(new.weight, mode="fan_out", nonlinearity="relu")
    setattr(holder, name, new)
