"""The parameters of training."""

from typing import Annotated, Literal

from pydantic import Field

from graft.common.parameters import Count, Section, Share, Weight
from graft.networks.settings import Device

WindowShare = Annotated[float, Field(ge=0, le=1)]  # images are in [0, 1]


class Training(Section):
    """What every training has in common.

    Attributes:
        memory: the share of the device's free memory that images may take. If they need more, they
            are read batch by batch. It has no influence on results, so it is in no key and card.
    """

    device: Device
    batch: Count
    optimizer: Literal["adamw", "adam"]
    weight_decay: Weight
    schedule: Literal["cosine", "constant"]
    class_weights: Literal["balanced", "none"]
    memory: Annotated[float, Field(ge=0, le=0.9, exclude=True)]


class Augment(Section):
    """The limits of the random transforms.

    Attributes:
        flip: the probability to mirror an axis.
        rotate: degrees, at most, in each plane of two axes, in either direction.
        scale: the largest change of the size, as a share of the size.
        shift: voxels, at most, along each axis.
        contrast: the largest change of the contrast, as a share of the contrast.
        brightness: the largest change of the intensities, which are in [0, 1].
        noise: the largest standard deviation of Gaussian noise, in the same unit.
    """

    flip: Annotated[float, Field(ge=0, le=1)]
    rotate: Annotated[float, Field(ge=0, le=180)]
    scale: Share
    shift: Annotated[float, Field(ge=0, le=4096)]
    contrast: Share
    brightness: WindowShare
    noise: WindowShare


class Recipe(Section):
    """How long one stage trains, and how strongly it is regularised.

    Attributes:
        epochs: at most; without validation exactly.
        lr: the learning rate at the start.
        patience: epochs without a lower validation loss before training stops.
        transforms: M, the transformed copies of each batch.
        l1: the weight of Σ|θᵢ|.
        l2: the weight of Σθᵢ².
    """

    epochs: Count
    lr: Annotated[float, Field(ge=1e-12, le=10)]  # Adam moves each weight by about lr
    patience: Count
    transforms: Annotated[int, Field(ge=0, le=100)]
    l1: Weight
    l2: Weight


class Ensemble(Recipe):
    """The recipe of each member of an ensemble, and how many there are."""

    members: Annotated[int, Field(ge=1, le=1000)]
