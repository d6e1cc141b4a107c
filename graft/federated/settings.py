"""The parameters of federated training: those that every site reads, and those of the server."""

from typing import Annotated

from pydantic import Field, model_validator

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


class SitePrivacy(PseudonymKey):
    """Where a site has its patient key, which never leaves the site.

    Attributes:
        epsilon: of differential privacy, which federated training does not have: only None.
    """

    epsilon: float | None

    @model_validator(mode="after")
    def _check_epsilon(self) -> "SitePrivacy":
        if self.epsilon is not None:
            raise ValueError(
                f"epsilon: got {self.epsilon:g}, expected none: federated training has no "
                "differential privacy (docs/federated.md)"
            )
        return self


class Secret(Section):
    """The section of params.yaml with the patient key."""

    privacy: SitePrivacy


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
