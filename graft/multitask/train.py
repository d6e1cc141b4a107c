"""Training on all tasks of a domain, and on each of them alone to show what the others add."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from graft.common.parallel import run_parallel
from graft.data.domain import Domain
from graft.data.memory import share_for_each
from graft.data.reference import DomainReference
from graft.data.split import read_split
from graft.data.task import NO_ROWS, make_task
from graft.data.tasks import fit_tasks
from graft.multitask.labels import take_labels
from graft.multitask.network import MultiTaskNetwork
from graft.multitask.objective import TaskObjective, Weighting
from graft.multitask.saved import MAIN, folders_of_tasks, save_heads
from graft.networks.classifier import Classifier
from graft.networks.device import use_deterministic_algorithms
from graft.networks.saved import save_model
from graft.training.checkpoint import clear_checkpoints
from graft.training.fitting import complete_card, start_head, train_network
from graft.training.loop import Log
from graft.training.plan import Plan
from graft.transfer.start import Start


@dataclass(frozen=True)
class TaskTraining:
    """What all trainings on the tasks of a domain have in common, small enough to be sent.

    Attributes:
        domain: with further tasks.
        split: the table of its parts.
        begin: makes the network that training starts from, of a `task` on a `device`. It may run
            in another process, so it is a `functools.partial` of a function of a module.
        plan: how to train, without a pull.
        weighting: of the losses of several tasks.
        device: where the networks train.
        parent: the entry of the cards about the model that training starts from.
    """

    domain: DomainReference
    split: Path
    begin: Callable[..., Start]
    plan: Plan
    weighting: Weighting
    device: torch.device
    parent: dict[str, str] | None = None

    def train(self, folder: Path, log: Log | None = None, only: str | None = None) -> None:
        """Train on all tasks, or on one of them alone, and write the files of a model.

        All trainings start from the same weights and draw the same batches and transforms. The
        checkpoints of a training on one task have a folder of their own, because others run at the
        same time.

        Args:
            folder: exists and is empty.
            log: as in `train_network`.
            only: MAIN or a further task. The card of a further one has no classes, because their
                head is untrained.

        Raises:
            InputError: if a task has no two different values in the training part, or if the loss
                is not finite.
        """
        use_deterministic_algorithms()
        domain = self.domain.read()
        rows = read_split(self.split, domain.index)
        plan, memory = self.plan, self.plan.training.memory
        if only is not None:
            plan = replace(plan, checkpoints=plan.checkpoints / plan.stage / only)
            memory = share_for_each(memory, self.device)
        validation = rows.get("validation", NO_ROWS)
        task = make_task(domain, rows["train"], validation, self.device, memory=memory)
        start = self.begin(task=task, device=self.device)
        if start.head == "new":
            start_head(start.network, task, plan)
        objective = self._objective(start.network, domain, rows, only)
        network = objective.network
        plan = replace(plan, objective=objective)
        scores = train_network(network, task, plan, log, show=only is None)
        entry = save_heads(folder, network, objective.weighting)
        about = {"parent": self.parent, "scores": scores, "tasks": entry}
        card = complete_card(start.architecture, task, plan, about)
        if only not in (None, MAIN):
            card["classes"] = []
        save_model(folder, [network.main], card)

    def train_alone(self, folder: Path) -> None:
        """Train on each task alone, in parallel, and write folder/ALONE/<task>."""
        items = list(folders_of_tasks(folder, self.domain.read().task_kinds))
        sequential = self.device.type == "cuda"
        run_parallel(partial(_train_alone, self), items, sequential=sequential)

    def clear(self) -> None:
        """Delete the checkpoints of all trainings, once their models are in their place."""
        clear_checkpoints(self.plan.checkpoints / self.plan.stage)

    def _objective(
        self, main: Classifier, domain: Domain, rows: dict[str, np.ndarray], only: str | None
    ) -> TaskObjective:
        """Add the heads of the further tasks to a classifier, and make the loss of all tasks."""
        assert domain.tasks is not None, "a domain without tasks is trained on as any other"
        kinds = dict(domain.task_kinds)
        if only is not None:
            kinds = {name: kind for name, kind in kinds.items() if name == only}
        columns = fit_tasks(domain.tasks.iloc[rows["train"]], kinds, domain.name)
        balanced = self.plan.training.class_weights == "balanced"
        labels = take_labels(domain, columns, rows, balanced, self.device)
        network = MultiTaskNetwork(main, columns)
        for head, values in zip(network.task_heads, labels["train"].values.T, strict=True):
            head.start_at(values)
        weighting = self.weighting if only is None else "equal"
        return TaskObjective(network, labels, weighting, only not in (None, MAIN))


def _train_alone(trainings: TaskTraining, item: tuple[str, Path]) -> None:
    """Train on one task, and write a model folder."""
    name, folder = item
    folder.mkdir(parents=True)
    trainings.train(folder, only=name)
