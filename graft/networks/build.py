"""Networks by name, such as `build_network("resnet", ...)`, and the architecture for a domain.

All of them give the same bytes on every run, on a GPU too: see `graft.networks.layers`. None of
them contains BatchNorm.
"""

from collections.abc import Sequence

import torch

from graft.common.files import InputError
from graft.data.domain import Domain
from graft.networks.classifier import Classifier
from graft.networks.registry import NETWORKS, NetworkKind
from graft.networks.settings import Network
from graft.networks.shape import NetworkShape, Norm


def build_network(
    name: str,
    *,
    patch: Sequence[int],
    channels: int,
    classes: int,
    width: int,
    seed: int,
    norm: Norm = "group",
    covariates: int = 0,
) -> Classifier:
    """A network with freshly drawn weights, the same for the same `seed`.

    It maps images (B, channels, *patch) in [0, 1], and covariates (B, K) if there are some, to
    logits (B, classes).

    Args:
        name: one of NETWORKS.
        patch: two or three sides, in voxels.
        channels: the number of channels of the images.
        classes: the number of classes.
        width: the number of planes of the first block of `resnet`; other networks ignore it.
        seed: decides the weights. Global random state is neither used nor changed.
        norm: what replaces the BatchNorm of a library, see NetworkShape.
        covariates: K, the number of covariates that the head reads beside the image.

    Raises:
        KeyError: if there is no network of this name.
    """
    kind = NETWORKS[name]
    shape = NetworkShape(
        tuple(patch),
        channels,
        classes,
        width,
        norm,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = kind.build(shape)
    return Classifier(kind, network, channels, covariates)


def architecture_for(
    network: Network,
    domain: Domain,
    covariates: int = 0,
) -> dict:
    """The architecture of a network that fits a domain, which cards keep.

    It contains the arguments of `build_network` except the seed.

    Raises:
        InputError: if the network cannot take the patches of this domain.
    """
    channels, *patch = domain.images.shape[1:]
    _check_patch(patch, NETWORKS[network.name])
    architecture = {
        "name": network.name,
        "patch": patch,
        "channels": channels,
        "classes": len(domain.classes),
        "width": network.width,
    }
    return _with_covariates(architecture, covariates)


def adapt_architecture(
    source: dict,
    domain: Domain,
    covariates: int = 0,
) -> dict:
    """The architecture of a pretrained network with the classes and covariates of another domain.

    Raises:
        InputError: if the images of that domain have another shape.
    """
    channels, *patch = domain.images.shape[1:]
    if [channels, patch] != [source["channels"], source["patch"]]:
        raise InputError(
            f"domain {domain.name}: images have {channels} channels of {patch}, expected "
            f"{source['channels']} of {source['patch']}, as the pretrained network has"
        )
    return _with_covariates({**source, "classes": len(domain.classes)}, covariates)


def _check_patch(patch: list[int], kind: NetworkKind) -> None:
    """Raise InputError if the network cannot take patches with these sides."""
    found = f"preprocess.patch: got {patch} with network.name {kind.name!r}, expected"
    if len(patch) not in kind.dimensions:
        allowed = " or ".join(map(str, kind.dimensions))
        raise InputError(f"{found} {allowed} numbers")
    if kind.view == "planes" and len(set(patch)) > 1:
        raise InputError(f"{found} three equal sides")
    if min(patch) < kind.smallest_side:
        raise InputError(f"{found} at least {kind.smallest_side} voxels a side")


def _with_covariates(architecture: dict, covariates: int) -> dict:
    """Set the key `covariates`, which an architecture for images alone does not have."""
    images_only = {name: value for name, value in architecture.items() if name != "covariates"}
    return {**images_only, "covariates": covariates} if covariates else images_only
