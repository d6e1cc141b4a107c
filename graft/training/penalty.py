"""Penalties on the parameters: the pull towards pretrained weights, L1, L2; and on features."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor, nn


class FeaturePenalty(Protocol):
    """A penalty on what a network made of a batch in the step's forward pass."""

    @property
    def key(self) -> list:
        """Everything that decides the penalty beside the network's start, its code too.

        These are plain JSON values.
        """

    def __call__(self, images: Tensor) -> Tensor:
        """The penalty of the batch, a scalar () that can be differentiated.

        It is called after the forward pass, on a GPU in a captured step: so it must not wait for
        the device.

        Args:
            images: (B, C, *patch), the input of the forward pass.
        """


@dataclass(frozen=True)
class Pull:
    """λ·R(θ − θ_pretrained), the pull towards the weights that the network started from.

    R is the squared L2 distance, L2-SP of Li, Grandvalet and Davoine (ICML 2018), or the L1
    distance Σ|θ − θ_pretrained|. It covers the tensors in `reference`. All other tensors are new
    and have no pretrained value. They get plain L2 with the same weight: λ·Σθ².

    Attributes:
        weight: λ.
        kind: "l2" or "l1", the distance R.
        reference: the pretrained tensors by the name of the parameter. They are copies: with
            tensors that the optimizer also changes, the penalty would always be 0.
    """

    weight: float
    kind: str
    reference: Mapping[str, Tensor]

    def __call__(self, network: nn.Module) -> Tensor:
        """The penalty of a network: a scalar () that can be differentiated."""
        parameters = dict(network.named_parameters())
        shared = [parameters.pop(name) for name in self.reference]
        moved = flat(shared) - self._flat_reference  # θ − θ_pretrained
        distance = moved.abs().sum() if self.kind == "l1" else moved.square().sum()
        plain = flat(parameters.values()).square().sum()  # of the new tensors
        return self.weight * (distance + plain)

    @cached_property
    def _flat_reference(self) -> Tensor:
        return flat(self.reference.values())


def pull_towards(
    network: nn.Module,
    names: list[str],
    weight: float,
    kind: str,
) -> Pull:
    """The pull towards the present values of the parameters in `names`, which are copied.

    Args:
        network: before training.
        names: of the parameters with a pretrained value. All others count as new.
        weight: λ.
        kind: "l2" or "l1", the distance R.
    """
    reference = {}
    for name, parameter in network.named_parameters():
        if name in names:
            reference[name] = parameter.detach().clone()
    return Pull(weight, kind, reference)


def l1(network: nn.Module) -> Tensor:
    """Σ|θᵢ| over all parameters, a scalar ()."""
    return flat(network.parameters()).abs().sum()


def l2(network: nn.Module) -> Tensor:
    """Σθᵢ² over all parameters, a scalar ()."""
    return flat(network.parameters()).square().sum()


def flat(tensors: Iterable[Tensor]) -> Tensor:
    """Concatenate tensors into one vector, which is empty without tensors.

    A penalty on it is one pass over memory, instead of three small GPU kernels per tensor.
    """
    vectors = [tensor.reshape(-1) for tensor in tensors]
    return torch.cat(vectors) if vectors else torch.zeros(0)
