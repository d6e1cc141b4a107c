"""The weights that torchvision publishes for its networks."""

from typing import TYPE_CHECKING

from graft.networks.registry import NETWORKS

if TYPE_CHECKING:
    from torchvision.models import WeightsEnum


def published_weights(name: str) -> "WeightsEnum":
    """The entry of torchvision for a network: the address of the weights and their transforms.

    Raises:
        KeyError: if torchvision publishes no weights for this network.
    """
    from torchvision.models import get_weight  # late: it takes seconds

    weights = NETWORKS[name].weights
    if weights is None or "/" in weights:
        raise KeyError(f"{name}: torchvision publishes no weights for this network")
    return get_weight(weights)
