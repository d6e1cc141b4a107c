"""The parameters of training."""

from typing import Annotated, Literal

from pydantic import Field

from graft.common.parameters import Count, Positive, Section, Share, Weight
from graft.networks.settings import Device


class Training(Section):
    """What every training has in common."""

    device: Device
    batch: Count
    optimizer: Literal["adamw", "adam"]
    weight_decay: Weight
    schedule: Literal["cosine", "constant"]
    class_weights: Literal["balanced", "none"]


class Augment(Section):
    """The limits of the random transforms."""

    flip: Annotated[float, Field(ge=0, le=1)]
    rotate: Annotated[float, Field(ge=0, le=180)]
    scale: Share
    shift: Weight
    contrast: Share
    brightness: Weight
    noise: Weight


class Recipe(Section):
    """How long one stage trains, and how strongly it is regularised."""

    epochs: Count
    lr: Positive
    patience: Count
    transforms: Annotated[int, Field(ge=0)]
    l1: Weight
    l2: Weight


class Ensemble(Recipe):
    """The recipe of each member of an ensemble, and how many there are."""

    members: Count
