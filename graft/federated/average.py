"""The mean of the parameters of several sites."""

from collections.abc import Mapping

import torch
from torch import Tensor

from graft.common.files import InputError

Tensors = Mapping[str, Tensor]


def check_tensors(name: str, tensors: Tensors, expected: Tensors, number: int) -> None:
    """Check the parameters of a site.

    Args:
        name: of the site.
        tensors: by name.
        expected: those that the site was given.
        number: of the round.

    Raises:
        InputError: if they have other names or shapes, or a value that is not finite.
    """
    where = f"site {name}: its parameters of round {number}"
    if tensors.keys() != expected.keys():
        differing = min(tensors.keys() ^ expected.keys())
        raise InputError(f"{where} lack or add {differing!r}, expected the same network")
    for key, tensor in tensors.items():
        wanted = expected[key]
        if (tensor.shape, tensor.dtype) != (wanted.shape, wanted.dtype):
            raise InputError(
                f"{where} have {key} {tuple(tensor.shape)}, expected {tuple(wanted.shape)}: "
                "the same network"
            )
        if not torch.isfinite(tensor).all():
            raise InputError(f"{where} have NaN or infinity in {key}, expected finite numbers")


def weighted_mean(sites: Mapping[str, Tensors], weights: Mapping[str, int]) -> dict[str, Tensor]:
    """Σ wₖ·θₖ / Σ wₖ, as float32, added up in the order of the sites' names.

    The sum is one of float64. Its bytes depend on neither the order nor the time of the answers.

    Source: McMahan et al., "Communication-Efficient Learning of Deep Networks from Decentralized
    Data", AISTATS 2017, who call it FederatedAveraging.

    Args:
        sites: the parameters of each site, by name.
        weights: of each site, such as its number of training lesions.
    """
    names = sorted(sites)
    total = sum(weights[name] for name in names)
    mean = {}
    for key, first in sites[names[0]].items():
        summed = torch.zeros(first.shape, dtype=torch.float64)
        for name in names:
            summed += weights[name] * sites[name][key].double()
        mean[key] = (summed / total).to(first.dtype)
    return mean
