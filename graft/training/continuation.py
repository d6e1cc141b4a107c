"""Stages that continue from the model of an earlier one: outside of a fold, from that fold's."""

from dataclasses import dataclass
from pathlib import Path

from graft.networks.out_of_fold import fold_folder
from graft.networks.saved import Model, load_model
from graft.training.fitting import parent_reference, train_network
from graft.training.loop import Log
from graft.training.stage import StageTraining, Trained


@dataclass(frozen=True)
class Continuation(StageTraining):
    """Train the network of an earlier model further.

    Attributes:
        parent: the folder of that model.
    """

    parent: Path

    def load_parent(self, fold: int) -> Model:
        """Load the model that training outside of a fold starts from.

        Raises:
            InputError: if there is none.
        """
        return load_model(fold_folder(self.parent, fold), self.device)

    def describe_parent(self, fold: int) -> dict[str, str]:
        """The entry of a card about that model."""
        return parent_reference(fold_folder(self.parent, fold))

    def train(self, fold: int, log: Log | None = None, show: bool = False) -> Trained:
        """Train the network of the parent, as in `StageTraining`."""
        parent = self.load_parent(fold)
        (network,) = parent.networks
        task = self.task(fold, parent.encoding)
        best = train_network(network, task, self.plan_of(fold), log, show=show)
        card = {"parent": self.describe_parent(fold), "scores": best}
        return Trained([network], parent.card["architecture"], task, card)
