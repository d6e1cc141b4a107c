"""The penalties on the parameters: the pull towards the pretrained weights, L1 and L2."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Pull:
    """λ·R(θ − θ_pretrained), the pull towards where the network came from.

    R is the squared L2 distance, L2-SP of Li, Grandvalet and Davoine (ICML 2018), or the L1 distance
    Σ|θ − θ_pretrained|. It runs over the tensors in `reference`. All other tensors are new, have no
    pretrained value, and get plain L2 with the same weight: λ·Σθ².

    `reference` holds copies: tensors that the optimizer also moves would keep the penalty at 0.
    """

    weight: float
    kind: str
    reference: Mapping[str, Tensor]

    def __call__(self, network: nn.Module) -> Tensor:
        """The penalty as a scalar () with its gradient."""
        shared = [(name, p) for name, p in network.named_parameters() if name in self.reference]
        moved = flat(p for _, p in shared) - flat(self.reference[name] for name, _ in shared)
        new = flat(p for name, p in network.named_parameters() if name not in self.reference)
        distance = moved.abs().sum() if self.kind == "l1" else moved.square().sum()
        return self.weight * (distance + new.square().sum())


def pull_towards(network: nn.Module, names: list[str], weight: float, kind: str) -> Pull:
    """The pull towards the present values of the tensors in `names`, frozen as copies."""
    reference = {
        name: p.detach().clone() for name, p in network.named_parameters() if name in names
    }
    return Pull(weight, kind, reference)


def l1(network: nn.Module) -> Tensor:
    """Σ|θᵢ| over all parameters, a scalar ()."""
    return flat(network.parameters()).abs().sum()


def l2(network: nn.Module) -> Tensor:
    """Σθᵢ² over all parameters, a scalar ()."""
    return flat(network.parameters()).square().sum()


def flat(tensors) -> Tensor:
    """All the tensors as one vector: one pass over memory instead of three small kernels for each."""
    vectors = [tensor.reshape(-1) for tensor in tensors]
    return torch.cat(vectors) if vectors else torch.zeros(0)
