"""The parameters of training with differential privacy."""

from typing import Annotated

from pydantic import Field

from graft.common.parameters import Count
from graft.keys.settings import PseudonymKey

Epsilon = Annotated[float, Field(ge=0.01, le=1000)]
Delta = Annotated[float, Field(ge=1e-15, le=0.1)]


class Privacy(PseudonymKey):
    """How private the pretraining is towards each patient, and how it trains.

    Attributes:
        epsilon: ε; None turns private training off.
        delta: δ; None is DELTA_SHARE divided by the number of patients.
        clip: C, the largest Euclidean norm of the gradient of one patient.
        batch: the expected number of patients in a step.
        epochs: passes over the patients, of which all are made.
        lr: the learning rate at the start.
    """

    epsilon: Epsilon | None
    delta: Delta | None
    clip: Annotated[float, Field(ge=1e-6, le=1e6)]
    batch: Count
    epochs: Count
    lr: Annotated[float, Field(ge=1e-12, le=10)]
