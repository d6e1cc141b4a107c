"""The parameters of pretraining and fine-tuning."""

from typing import Literal

from pydantic import Field

from graft.common.names import Text
from graft.training.settings import Recipe

# The prefix of the network names, by the name of the published weights.
PUBLISHED = {"imagenet": "torchvision-", "kinetics": "video-", "medicalnet": "medicalnet-"}
SELF_SUPERVISED = "self-supervised"  # pretrain.source: nothing but learning without labels
WEIGHT_SUFFIXES = (".pt", ".pth", ".safetensors")
Strategy = Literal["l2-sp", "frozen", "lp-ft", "wise-ft", "delta", "source"]
Arm = Literal["scratch"] | Strategy  # of repeated trainings
INNER_FOLDS = 5  # of patients, to choose by if none validate; fewer if there are fewer patients


def count_networks(arm: Arm, validates: bool) -> int:
    """How many networks one training of an arm trains: wise-ft needs more to choose a share.

    Args:
        arm: of the training.
        validates: whether there are patients to validate on.
    """
    return 1 + INNER_FOLDS if arm == "wise-ft" and not validates else 1


class Pretrain(Recipe):
    """The recipe of pretraining.

    Attributes:
        source: a domain, published weights, a file, or `self-supervised`.
        tasks: how the losses of several tasks are weighted. The card of a model with tasks has it.
        alone: whether a network is also trained on each of several tasks alone: train or skip.
    """

    source: Text
    tasks: Literal["equal", "uncertainty"] = Field(exclude=True)
    alone: Literal["train", "skip"] = Field(exclude=True)


class Finetune(Recipe):
    """The recipe of fine-tuning, the penalty R and the head that it starts with.

    Attributes:
        strategy: how the network of the source is trained, a module of `graft.strategies`.
        head: `pretrained` is that of the source, and `new` has random weights. `auto` is that of
            the source if the classes and the covariates are the same, else a linear probe.
    """

    strategy: Strategy
    penalty: Literal["l2", "l1"]
    head: Literal["auto", "new", "pretrained"]

    def from_scratch(self) -> Recipe:
        """The same recipe without what only a network of a source has."""
        return Recipe(**self.model_dump(include=set(Recipe.model_fields)))
