"""A pretrained model made from weights that somebody else has learnt: the body is theirs, the head is new."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from graft.common.files import InputError, whole_folder
from graft.console import say
from graft.data.domain import Domain
from graft.networks.build import build_network
from graft.networks.classifier import Classifier
from graft.networks.saved import save_model
from graft.transfer.carry import carry
from graft.transfer.weights import Weights


def save_adopted(
    folder: Path, weights: Weights, architecture: dict, domain: Domain, seed: int
) -> None:
    """Write a model folder as `graft.training.fitting.save` does, of a network that holds these weights.

    Its card has no classes, as nobody has taught it any of ours. Norms are frozen where the weights have statistics.

    Raises InputError where a tensor below the head is missing, left over or of another shape.
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
                "weights": {**weights.about, "stem": stem, "carried": vars(carried)},
            },
        )
    say(f"pretrain: from {weights.title}, stem {stem}: {carried}")
    say(f"pretrain: wrote {folder}")


def fit_tensors(
    tensors: Mapping[str, Tensor], network: Classifier
) -> tuple[dict[str, Tensor], str]:
    """The tensors with kernels as deep, and a stem of as many channels, as the network has; and what the stem became."""
    wanted = network.saved_tensors()
    fitted = {
        name: _as_deep(tensor, wanted[name]) if name in wanted else tensor
        for name, tensor in tensors.items()
    }
    stem = next(name for name, tensor in wanted.items() if tensor.ndim > 3)  # the first convolution
    how = "as it is"
    if stem in fitted:
        fitted[stem], how = recolour(fitted[stem], wanted[stem].shape[1])
    return fitted, how


def inflate(kernel: Tensor) -> Tensor:
    """A 2D kernel (out, in, k, k) repeated along a third axis and divided by its length: (out, in, k, k, k).

    Source: Carreira and Zisserman, "Quo Vadis, Action Recognition?", CVPR 2017.
    """
    depth = kernel.shape[-1]
    return kernel[..., None].expand(*kernel.shape, depth) / depth


def recolour(kernel: Tensor, channels: int) -> tuple[Tensor, str]:
    """A stem's kernel (out, in, *k) for images of other channels, and what was done, in words.

    Summed for grey images, it says of a grey image what it said of that image in three equal colours; a grey stem
    repeated and divided by the count says of three equal colours what it said of the grey image.
    """
    count = kernel.shape[1]
    if channels == 1 and count > 1:
        return kernel.sum(1, keepdim=True), f"summed over {count} channels"
    if count == 1 and channels > 1:
        repeated = kernel.expand(-1, channels, *kernel.shape[2:])
        return repeated / channels, f"repeated over {channels} channels, divided by {channels}"
    return kernel, "as it is"


def _as_deep(tensor: Tensor, wanted: Tensor) -> Tensor:
    return inflate(tensor) if (tensor.ndim, wanted.ndim) == (4, 5) else tensor
