"""The weights of a repeated training, kept beside its predictions and built into a network again.

The mean of networks that were trained independently is a deep ensemble (Lakshminarayanan, Pritzel
and Blundell, "Simple and Scalable Predictive Uncertainty Estimation using Deep Ensembles", NeurIPS
2017).
"""

import numpy as np
import torch

from graft.networks.build import build_network
from graft.networks.classifier import Classifier
from graft.repeated.cache import Arrays

PREFIX = "weights."  # of the names of weights in the result of a training


def as_arrays(network: Classifier) -> dict[str, np.ndarray]:
    """The weights of a network by their names on disk, with PREFIX."""
    tensors = network.saved_tensors().items()
    return {PREFIX + name: tensor.detach().cpu().numpy() for name, tensor in tensors}


def rebuild(result: Arrays, architecture: dict) -> Classifier:
    """Build the network whose weights are in the result of a training.

    Args:
        result: of a training that kept its weights.
        architecture: the arguments of `build_network`.
    """
    tensors = {}
    for name, array in result.items():
        if name.startswith(PREFIX):
            tensors[name.removeprefix(PREFIX)] = torch.from_numpy(array)
    network = build_network(**architecture, seed=0)
    network.load_saved_tensors(tensors)
    return network.eval()
