"""The parameters of repeated trainings."""

from typing import Annotated

from pydantic import Field, model_validator

from graft.common.parameters import EachOnce, Section, Weight
from graft.networks.settings import Network, Predict
from graft.training.settings import Augment, Training
from graft.transfer.settings import Arm, Finetune, Strategy

MOST_VALUES = 100  # of one list: each value is trained with many times
LabelledShare = Annotated[float, Field(gt=0, le=1)]


class RepeatedFinetuning(Section):
    """The parameters of every repeated training, those of the stage `finetune`."""

    network: Network
    training: Training
    augment: Augment
    finetune: Finetune
    predict: Predict

    def alone(self) -> "RepeatedFinetuning":
        """The same without the further fields of a stage, whose class no other process knows."""
        return RepeatedFinetuning(
            **{name: getattr(self, name) for name in RepeatedFinetuning.model_fields}
        )


class LearningCurve(Section):
    """Shares of the labelled patients, how many draws there are of each, and the arms to show.

    Attributes:
        arms: scratch and `finetune.strategy` are always shown.
    """

    shares: Annotated[list[LabelledShare], Field(max_length=MOST_VALUES), EachOnce]
    draws: Annotated[int, Field(ge=0, le=1000)]
    arms: Annotated[list[Arm], EachOnce]


class CrossValidation(Section):
    """The number of folds by patient, of their repeats, and what to choose from in each fold.

    Attributes:
        strategies: if there is none, `finetune.strategy` is the only one.
        lambdas: if there is none, `lambda` is the only one.
    """

    folds: Annotated[int, Field(ge=0, le=1000)]
    repeats: Annotated[int, Field(ge=1, le=1000)]
    strategies: Annotated[list[Strategy], EachOnce]
    lambdas: Annotated[list[Weight], Field(max_length=MOST_VALUES), EachOnce]

    @model_validator(mode="after")
    def _check_folds(self) -> "CrossValidation":
        if self.folds == 1:
            raise ValueError("folds: got 1, expected 0 for no cross-validation, or at least 2")
        return self
