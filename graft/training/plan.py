"""How to train one network."""

from dataclasses import dataclass
from pathlib import Path

from graft.training.objective import Objective
from graft.training.penalty import FeaturePenalty, Pull
from graft.training.settings import Augment, Recipe, Training


@dataclass(frozen=True)
class Plan:
    """How to train.

    Attributes:
        recipe: the parameters of the stage.
        training: the parameters that all trainings share.
        augment: the limits of the transforms.
        seed: of all random draws.
        purpose: such as `ensemble-bagging/3`. Trainings with other purposes draw other numbers.
        checkpoints: the folder of the checkpoints of all stages.
        pull: the penalty on the distance from pretrained weights, if there are any.
        features: a penalty on the features of each batch, if there is one.
        objective: the further tasks of the network, if it has more than one.
        keep_start: whether the network before training, epoch 0, may be the best one. It has no
            meaning without validation.
    """

    recipe: Recipe
    training: Training
    augment: Augment
    seed: int
    purpose: str
    checkpoints: Path
    pull: Pull | None = None
    features: FeaturePenalty | None = None
    objective: Objective | None = None
    keep_start: bool = False

    @property
    def stage(self) -> str:
        """The stage that trains: `ensemble-bagging` for the purpose `ensemble-bagging/3`."""
        return self.purpose.partition("/")[0]
