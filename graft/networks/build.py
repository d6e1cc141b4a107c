"""Networks by name: `build("resnet", ...)`.

Every one of them gives the same bytes on every run, on a GPU too, as graft.networks.layers says. BatchNorm stands in none of
them: GroupNorm does, or FrozenNorm where published weights come with statistics.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from graft.common.files import InputError
from graft.data.domain import Domain
from graft.networks.layers import GROUPS, MaxPool, reproducible
from graft.networks.published import DIMENSIONS, HEAD, build_published
from graft.networks.settings import Network

HEADS = {
    "cnn": "head.",
    "resnet": "head.",
    "resnet10": "fc.",
    "resnet18": "fc.",
    "resnet50": "fc.",
    "densenet121": "class_layers.out.",
    **dict.fromkeys(DIMENSIONS, HEAD),
}
SMALLEST = {
    "cnn": 4,
    "densenet121": 32,
}  # voxels a side that leave at least one behind all the halvings


def build_network(
    name: str,
    *,
    patch: Sequence[int],
    channels: int,
    classes: int,
    width: int,
    seed: int,
    norm: str = "group",
    covariates: int = 0,
) -> nn.Module:
    """A network with freshly drawn weights, the same for the same `seed`.

    Maps images (B, channels, *patch) in [0, 1] to logits (B, classes); two or three dimensions by the
    length of `patch`. With `covariates` it takes a second argument, (B, covariates), which its head reads beside
    the features of the image.
    `width` is the number of planes of the first block of `resnet`; the other networks have their own.
    `norm` stands where the network of a library has BatchNorm: `group`, or `frozen` for weights with statistics.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if name in DIMENSIONS:
            network = build_published(name, channels, classes, norm)
        elif name == "cnn":
            network = SimpleCNN(patch, channels, classes)
        elif name == "resnet":
            network = ResNet(len(patch), channels, classes, width)
        else:
            network = _monai(name, len(patch), channels, classes, norm)
    if name not in DIMENSIONS:  # these know the mean and deviation of what they learnt from
        network.register_forward_pre_hook(_standardise)
    if covariates:
        where = HEADS[name].rstrip(".")
        head = JointHead(network.get_submodule(where), covariates)
        network.set_submodule(where, head)
        network.register_forward_pre_hook(head.take, prepend=True)
    return network


def architecture_for(network: Network, domain: Domain, covariates: int = 0) -> dict:
    """The arguments of `build`, less the seed, that make params.yaml's `network` fit a domain; a card keeps them.

    Raises InputError where the network does not take such a patch.
    """
    channels, *patch = domain.images.shape[1:]
    if len(patch) != DIMENSIONS.get(network.name, len(patch)):
        raise InputError(
            f"preprocess.patch: got {patch} with network.name {network.name!r}, "
            f"expected {DIMENSIONS[network.name]} numbers"
        )
    if network.name.endswith("-planes") and len(set(patch)) > 1:
        raise InputError(
            f"preprocess.patch: got {patch} with network.name {network.name!r}, expected three equal sides"
        )
    if min(patch) < SMALLEST.get(network.name, 1):
        raise InputError(
            f"preprocess.patch: got {patch} with network.name {network.name!r}, "
            f"expected at least {SMALLEST[network.name]} voxels a side"
        )
    classes = len(domain.classes)
    found = {
        "name": network.name,
        "patch": patch,
        "channels": channels,
        "classes": classes,
        "width": network.width,
    }
    return _with_covariates(found, covariates)


def adapt_architecture(source: dict, domain: Domain, covariates: int = 0) -> dict:
    """The architecture of a pretrained network with the classes and the covariates of another domain.

    Raises InputError where that domain's images have another shape.
    """
    channels, *patch = domain.images.shape[1:]
    if [channels, patch] != [source["channels"], source["patch"]]:
        raise InputError(
            f"domain {domain.name}: images have {channels} channels of {patch}, expected "
            f"{source['channels']} of {source['patch']}, as the pretrained network has"
        )
    return _with_covariates({**source, "classes": len(domain.classes)}, covariates)


def _with_covariates(architecture: dict, covariates: int) -> dict:
    """Named where there are some only, so that the card of a network of images alone does not speak of them."""
    images = {name: value for name, value in architecture.items() if name != "covariates"}
    return {**images, "covariates": covariates} if covariates else images


def is_head(network: str, tensor: str) -> bool:
    """Whether a tensor belongs to the last layer, whose rows are the classes."""
    return tensor.startswith(HEADS[network])


class JointHead(nn.Linear):
    """A last layer over the features of the image and K covariates: (B, F) ⊕ (B, K) to (B, classes).

    It starts as the head that it replaces, with zeros for the covariates. The networks' `forward` knows images only,
    so the covariates are handed over beforehand, to `take`.
    """

    def __init__(self, head: nn.Linear, covariates: int) -> None:
        super().__init__(head.in_features + covariates, head.out_features)
        with torch.no_grad():
            self.weight.zero_()[:, : head.in_features] = head.weight
            self.bias.copy_(head.bias)
        self.covariates: Tensor | None = None

    @torch.no_grad()
    def start(self, weights: Tensor, bias: Tensor) -> None:
        """Add weights (classes, K) of the covariates and their bias (classes,), as known before any image is seen."""
        self.weight[:, -weights.shape[1] :] += weights
        self.bias += bias

    def take(self, _: nn.Module, inputs: tuple[Tensor, Tensor]) -> Tensor:
        """Keep the covariates of the batch, and pass on its images."""
        images, self.covariates = inputs
        return images

    def forward(self, features: Tensor) -> Tensor:
        covariates, self.covariates = self.covariates, None
        return super().forward(torch.cat([features, covariates], 1))


class SimpleCNN(nn.Module):
    """Conv 32, pool, conv 64, pool, fc 128, fc classes; on 32×32 pixels the classical small CNN.

    Max pooling keeps its exact value. Its gradient differs from `nn.MaxPool2d` only where two voxels
    of a block tie, where it is shared between them.
    """

    def __init__(self, patch: Sequence[int], channels: int, classes: int) -> None:
        super().__init__()
        conv = _conv(len(patch))
        self.conv1 = conv(channels, 32, 3, padding=1)
        self.conv2 = conv(32, 64, 3, padding=1)
        self.pool = MaxPool(2)
        self.hidden = nn.Linear(64 * int(torch.tensor([side // 4 for side in patch]).prod()), 128)
        self.head = nn.Linear(128, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.conv1(x).relu())  # (B, 32, *spatial / 2)
        x = self.pool(self.conv2(x).relu())  # (B, 64, *spatial / 4)
        return self.head(self.hidden(x.flatten(1)).relu())  # (B, classes)


class ResNet(nn.Module):
    """A narrow residual network (He et al., 2016) that halves the patch three times by strides.

    A stem of stride 2 and two residual blocks: 32³ voxels become 16³, 8³ and 4³.
    """

    def __init__(self, dimensions: int, channels: int, classes: int, width: int) -> None:
        super().__init__()
        self.stem = _conv(dimensions)(channels, width, 5, stride=2, padding=2, bias=False)
        self.norm = nn.GroupNorm(GROUPS, width)
        self.blocks = nn.Sequential(
            Block(dimensions, width, 2 * width), Block(dimensions, 2 * width, 4 * width)
        )
        self.head = nn.Linear(4 * width, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.stem(x)).relu()  # (B, W, *spatial / 2)
        x = self.blocks(x)  # (B, 4W, *spatial / 8)
        return self.head(x.flatten(2).mean(2))  # (B, classes)


class Block(nn.Module):
    """Two convolutions beside a shortcut; the first one, and the shortcut, have stride 2."""

    def __init__(self, dimensions: int, planes: int, out_planes: int) -> None:
        super().__init__()
        conv = _conv(dimensions)
        self.conv1 = conv(planes, out_planes, 3, stride=2, padding=1, bias=False)
        self.norm1 = nn.GroupNorm(GROUPS, out_planes)
        self.conv2 = conv(out_planes, out_planes, 3, padding=1, bias=False)
        self.norm2 = nn.GroupNorm(GROUPS, out_planes)
        self.shortcut = conv(planes, out_planes, 1, stride=2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(self.conv1(x)).relu()
        return (self.norm2(self.conv2(y)) + self.shortcut(x)).relu()


def _standardise(_: nn.Module, inputs: tuple[Tensor]) -> Tensor:
    # Images lie in [0, 1], mostly near one end: around 0, with about unit variance, training starts at once.
    return (inputs[0] - 0.5) * 4


def _conv(dimensions: int) -> type[nn.Conv2d] | type[nn.Conv3d]:
    return {2: nn.Conv2d, 3: nn.Conv3d}[dimensions]


def _monai(name: str, dimensions: int, channels: int, classes: int, norm: str) -> nn.Module:
    from monai.networks import nets  # late: it takes seconds, and the networks above do not need it

    if name == "densenet121":
        network = nets.DenseNet121(
            spatial_dims=dimensions, in_channels=channels, out_channels=classes
        )
    else:
        # MONAI's stem has stride 1, made for large scans; lesion patches want the 2 of the paper.
        network = getattr(nets, name)(
            spatial_dims=dimensions,
            n_input_channels=channels,
            num_classes=classes,
            conv1_t_stride=2,
        )
    return reproducible(network, norm)
