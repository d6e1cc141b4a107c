"""The pretrained model if its weights were trained elsewhere: their body and a new head."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from graft.common.files import InputError, whole_folder
from graft.console import say
from graft.data.domain import Domain
from graft.networks.build import adapt_architecture, build_network
from graft.networks.classifier import Classifier
from graft.networks.saved import load_model, save_model
from graft.networks.settings import Network
from graft.transfer.carry import Carried, carry
from graft.transfer.weights import Weights


def save_adopted(
    folder: Path,
    weights: Weights,
    architecture: dict,
    domain: Domain,
    seed: int,
    parent: dict[str, str] | None = None,
) -> None:
    """Write a model folder, as `graft.training.fitting.save_trained` does, with these weights.

    Its card has no classes, because the head is untrained. If the weights have the running
    statistics of BatchNorm, the norms of the network keep them and stay frozen.

    Args:
        folder: where the model is written.
        weights: of the body, as the file has them.
        architecture: the arguments of `build_network`.
        domain: the source, whose preprocessing the card names.
        seed: of the new head.
        parent: the entry of the card about the model whose weights these are, if graft made it.

    Raises:
        InputError: if a tensor below the head is missing, left over or of another shape.
    """
    frozen = any(name.endswith("running_mean") for name in weights.tensors)
    architecture = {**architecture, "norm": "frozen" if frozen else "group"}
    network = build_network(**architecture, seed=seed)
    tensors, stem = fit_tensors(weights.tensors, network)
    try:
        carried = carry(tensors, network, head="new")
    except InputError as error:
        raise InputError(f"{weights.about['file']}: {error}") from error
    with whole_folder(folder) as partial:
        save_model(
            partial,
            [network],
            {
                "stage": "pretrain",
                "architecture": architecture,
                "classes": [],
                "preprocessing": domain.preprocessing,
                "parent": parent,
                "weights": {**weights.about, "stem": stem, "carried": vars(carried)},
            },
        )
    say(f"pretrain: from {weights.title}, stem {stem}: {carried}")
    say(f"pretrain: wrote {folder}")


def save_trained_elsewhere(folder: Path, source: Path, network: Network, domain: Domain) -> None:
    """Write a model that graft trained elsewhere as the pretrained one, with its head and its card.

    Args:
        folder: where the model is written.
        source: the folder of the model, such as that of a federated training.
        network: the parameters of the network, which training from scratch uses.
        domain: the source, whose images have to fit.

    Raises:
        InputError: if the model has several networks, or another one than the parameters.
    """
    model = load_model(source)
    card = model.card
    if len(model.networks) > 1:
        raise InputError(f"{source}: has {len(model.networks)} networks, expected one")
    architecture = adapt_architecture(card["architecture"], domain)
    for key, expected in network.model_dump().items():
        if architecture[key] != expected:
            raise InputError(
                f"network.{key}: got {expected!r}, expected {architecture[key]!r} as in {source}"
            )
    loaded = sorted(model.networks[0].saved_tensors())
    about = {"source": "model", "file": source.name, "sha256": card["weights_sha256"]}
    carried = Carried(loaded=loaded, new=[], left=[])
    weights = {**about, "stem": "unchanged", "carried": vars(carried)}
    with whole_folder(folder) as partial:
        save_model(
            partial,
            model.networks,
            {**card, "stage": "pretrain", "parent": None, "weights": weights},
        )
    say(f"pretrain: from {source}, with its head: {carried}")
    say(f"pretrain: wrote {folder}")


def fit_tensors(
    tensors: Mapping[str, Tensor], network: Classifier
) -> tuple[dict[str, Tensor], str]:
    """Adapt the tensors of a 2D network, or of one for other channels, to a network.

    Args:
        tensors: by their names on disk.
        network: that they are for, in two or three dimensions.

    Returns:
        The tensors, with kernels as deep as those of the network and a stem for its number of
        channels, and a description of what happened to the stem.
    """
    wanted = network.saved_tensors()
    fitted = dict(tensors)
    for name, tensor in tensors.items():
        if name in wanted and tensor.ndim == 4 and tensor.shape[2:] == wanted[name].shape[2:-1]:
            fitted[name] = inflate(tensor)
    stem = next(name for name, tensor in wanted.items() if tensor.ndim > 3)  # the first convolution
    how = "unchanged"
    if stem in fitted and fitted[stem].ndim == wanted[stem].ndim:
        fitted[stem], how = recolour(fitted[stem], wanted[stem].shape[1])
    return fitted, how


def inflate(kernel: Tensor) -> Tensor:
    """Repeat a 2D kernel (out, in, k, k) along a third axis, divided by its length k.

    The result is (out, in, k, k, k).

    Source: Carreira and Zisserman, "Quo Vadis, Action Recognition?", CVPR 2017.
    """
    depth = kernel.shape[-1]
    return kernel[..., None].expand(*kernel.shape, depth) / depth


def recolour(kernel: Tensor, channels: int) -> tuple[Tensor, str]:
    """Adapt the kernel (out, in, *k) of a stem to images with another number of channels.

    A stem for colours is summed over its channels. Its output for a grey image is then its former
    output for that image in three equal channels. A stem for grey images is repeated and divided
    by the number of channels. Its output for equal channels is then its former output for one of
    them. Any other stem stays as it is.

    Returns:
        The kernel, and a description of what happened.
    """
    count = kernel.shape[1]
    if channels == 1 and count > 1:
        return kernel.sum(1, keepdim=True), f"summed over {count} channels"
    if count == 1 and channels > 1:
        repeated = kernel.expand(-1, channels, *kernel.shape[2:])
        return repeated / channels, f"repeated over {channels} channels, divided by {channels}"
    return kernel, "unchanged"
