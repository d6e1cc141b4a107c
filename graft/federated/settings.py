"""The parameters of federated training: those that every site reads, and those of the server."""

from typing import Annotated

from pydantic import Field

from graft.common.parameters import Count, Section, Seed, Weight
from graft.keys.settings import PseudonymKey
from graft.networks.settings import Network
from graft.training.settings import Augment, Recipe, Training


class SiteParameters(Section):
    """What a site reads of params.yaml. All sites need the same values, apart from the device."""

    network: Network
    training: Training
    augment: Augment
    pretrain: Recipe
    seed: Seed


class Secret(Section):
    """Where a site has its patient key. It never leaves the site."""

    privacy: PseudonymKey


class Rounds(Section):
    """What the server decides.

    Attributes:
        rounds: how often the sites train and their parameters are averaged; None for as many as
            `pretrain.epochs` of the sites needs.
        local_epochs: of each site in a round.
        mu: μ of FedProx; 0 is FedAvg.
    """

    rounds: Annotated[int, Field(ge=1, le=100_000)] | None = None
    local_epochs: Count = 1
    mu: Weight = 0.0
