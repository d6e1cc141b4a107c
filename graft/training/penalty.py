"""Penalties on the parameters: the pull towards the pretrained weights, L1 and L2."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Pull:
    """λ·R(θ − θ_pretrained), the pull towards the weights that the network started from.

    R is the squared L2 distance, L2-SP of Li, Grandvalet and Davoine (ICML 2018), or the L1
    distance Σ|θ − θ_pretrained|. It covers the tensors in `reference`. All other tensors are new
    and have no pretrained value. They get plain L2 with the same weight: λ·Σθ².

    `reference` contains copies. With tensors that the optimizer also moves, the penalty would
    always be 0.
    """

    weight: float
    kind: str
    reference: Mapping[str, Tensor]

    def __call__(self, network: nn.Module) -> Tensor:
        """The penalty as a scalar () with its gradient."""
        shared, pretrained, new = [], [], []
        for name, parameter in network.named_parameters():
            if name in self.reference:
                shared.append(parameter)
                pretrained.append(self.reference[name])
            else:
                new.append(parameter)
        moved = flat(shared) - flat(pretrained)
        distance = moved.abs().sum() if self.kind == "l1" else moved.square().sum()
        return self.weight * (distance + flat(new).square().sum())


def pull_towards(network: nn.Module, names: list[str], weight: float, kind: str) -> Pull:
    """The pull towards the present values of the tensors in `names`, which are copied."""
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
    """All tensors as one vector: one pass over memory instead of three small kernels for each."""
    vectors = [tensor.reshape(-1) for tensor in tensors]
    return torch.cat(vectors) if vectors else torch.zeros(0)
