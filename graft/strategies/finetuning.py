"""The trainings of fine-tuning, from a source or from scratch."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from graft.common.parameters import Weight
from graft.common.vocabulary import WITHOUT_LAMBDA
from graft.console import say
from graft.data.task import Task
from graft.networks.reference import ModelReference
from graft.networks.settings import Network
from graft.strategies.train import fit_strategy
from graft.training.fitting import parent_reference
from graft.training.loop import Log
from graft.training.stage import StageTraining, Trained
from graft.transfer.settings import Finetune, Strategy
from graft.transfer.start import Start, start_from_scratch, start_from_source


@dataclass(frozen=True)
class Finetuning(StageTraining):
    """Train by a strategy or from scratch, outside of each fold from the same start."""

    @property
    @abstractmethod
    def strategy(self) -> Strategy | None:
        """How the network is trained; None from scratch."""

    @abstractmethod
    def start(self, task: Task, tell: bool) -> tuple[Start, dict]:
        """Start the network to train, and return it with what its card says about its origin.

        Args:
            task: what it will train on.
            tell: whether to print what it starts from.
        """

    def train(self, fold: int, log: Log | None = None, show: bool = False) -> Trained:
        """Train the network of the start, as in `StageTraining`."""
        task = self.task(fold)
        start, card = self.start(task, tell=log is not None)
        best = fit_strategy(self.strategy, start, task, self.plan_of(fold), log, show)
        return Trained([start.network], start.architecture, task, {**card, "scores": best})


@dataclass(frozen=True)
class FromScratch(Finetuning):
    """Train a network with fresh weights.

    Attributes:
        network: the parameters of the network.
    """

    network: Network

    @property
    def strategy(self) -> None:
        """None."""

    def start(self, task: Task, tell: bool) -> tuple[Start, dict]:
        """Start with fresh weights, as in `Finetuning`."""
        start = start_from_scratch(self.network, task, self.plan.seed, self.device)
        return start, {"parent": None}


@dataclass(frozen=True)
class FromSource(Finetuning):
    """Train a network with the weights of a source.

    Attributes:
        recipe: the parameters of fine-tuning.
        source: the pretrained model. It has not seen the target, so it is the start of all folds.
        weight: λ.
    """

    recipe: Finetune
    source: ModelReference
    weight: Weight

    @property
    def strategy(self) -> Strategy:
        """The one of the parameters."""
        return self.recipe.strategy

    def members(self, fold: int) -> Sequence[int]:
        """None without training: such a strategy has no checkpoint, and takes seconds."""
        return [] if self.strategy in WITHOUT_LAMBDA else super().members(fold)

    def start(self, task: Task, tell: bool) -> tuple[Start, dict]:
        """Start with the weights of the source, as in `Finetuning`."""
        source = self.source.load(self.device)
        start = start_from_source(
            source, task, self.recipe, self.weight, self.plan.seed, self.device
        )
        if tell:
            say(f"{self.plan.stage}: from {self.source.folder}: {start.carried}")
        card: dict[str, object] = {
            "parent": parent_reference(self.source.folder),
            "strategy": self.strategy,
            "carried": vars(start.carried),
        }
        if self.strategy not in WITHOUT_LAMBDA:
            card["lambda"] = self.weight
        return start, card
