"""A stage trains on all labelled patients and, without a validation part, outside of each fold.

The network of a fold has not seen the patients of the fold. What it predicts for them shows how
the same training does on new patients.
"""

import functools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import torch

from graft.common.files import whole_folder
from graft.common.parallel import run_parallel
from graft.console import counting, say
from graft.data.covariates import Encoding
from graft.data.image_rows import ImageRows
from graft.data.memory import share_for_each
from graft.data.reference import DomainReference
from graft.data.split import read_folds, read_split
from graft.data.task import NO_ROWS, Task, make_task
from graft.networks.classifier import Classifier
from graft.networks.device import use_deterministic_algorithms
from graft.networks.out_of_fold import write_out_of_fold
from graft.networks.saved import WEIGHTS, load_model, save_model
from graft.training.checkpoint import clear_checkpoints
from graft.training.fitting import complete_card, log_curves
from graft.training.loop import Log
from graft.training.plan import Plan

ALL = 0  # instead of a fold: the training on all labelled patients


@dataclass(frozen=True)
class Labelled:
    """The labelled patients of a domain, small enough to be sent to another process.

    Attributes:
        domain: that the rows belong to.
        train: its rows to train on.
        validation: its rows to validate on, or NO_ROWS.
        folds: the fold of each row to train on; all 0 if there are rows to validate on.
    """

    domain: DomainReference
    train: np.ndarray
    validation: np.ndarray
    folds: np.ndarray

    @classmethod
    def read(cls, folder: Path, split_file: Path, records: Path | None = None) -> Self:
        """Read the split of a processed domain.

        Raises:
            InputError: if a file cannot be used.
        """
        domain = DomainReference.to(folder, records)
        index = domain.read().index
        parts = read_split(split_file, index)
        validation = parts.get("validation", NO_ROWS)
        return cls(domain, parts["train"], validation, read_folds(split_file, index))

    @property
    def trainings(self) -> range:
        """ALL and the folds."""
        return range(ALL, self.folds.max() + 1)

    def task(
        self, fold: int, device: torch.device, encoding: Encoding | None, memory: float
    ) -> Task:
        """Make the task of training outside of a fold. The arguments are those of `make_task`."""
        train = self.train if fold == ALL else self.train[self.folds != fold]
        return make_task(self.domain.read(), train, self.validation, device, encoding, memory)


@dataclass(frozen=True)
class Trained:
    """What a stage has trained on one task, and what its card says beside the common entries."""

    networks: list[Classifier]
    architecture: dict
    task: Task
    card: dict


@dataclass(frozen=True)
class StageTraining(ABC):
    """How a stage trains, small enough to be sent to another process.

    Attributes:
        labelled: the patients that it trains on.
        device: where it trains.
        plan: how it trains on all of them.
    """

    labelled: Labelled
    device: torch.device
    plan: Plan

    @abstractmethod
    def train(self, fold: int, log: Log | None = None, show: bool = False) -> Trained:
        """Train outside of a fold, or read what has been trained from the checkpoints.

        Args:
            fold: or ALL.
            log: gets the rows of the training; None for the trainings of folds.
            show: whether to print a progress bar.
        """

    def members(self, fold: int) -> Sequence[int]:
        """The members that can be trained in parallel; by default the training as a whole."""
        return [0]

    def train_member(self, fold: int, member: int) -> None:
        """Train one of them, and leave it in a checkpoint."""
        self.train(fold)

    def plan_of(self, fold: int) -> Plan:
        """How the stage trains outside of a fold: with random draws of its own."""
        if fold == ALL:
            return self.plan
        return replace(self.plan, purpose=f"{self.plan.purpose}/fold-{fold}")

    def task(self, fold: int, encoding: Encoding | None = None) -> Task:
        """What the stage trains on outside of a fold."""
        return self.labelled.task(fold, self.device, encoding, self.plan.training.memory)


def train_stage(stage: StageTraining, folder: Path, curves: Path, keep: bool = False) -> None:
    """Train on all labelled patients and outside of each fold, and write the model.

    All trainings run in parallel, or one after the other on a GPU. A killed stage resumes from the
    checkpoint of each of them.

    Args:
        stage: how it trains.
        folder: gets the model of all labelled patients. If there are folds, it also gets the
            out-of-fold predictions, and a folder with a card for the model of each fold.
        curves: the folder of the curves of the training on all patients.
        keep: whether to keep the weights of the folds, for a stage that continues from them.
    """
    show = not _train_in_parallel(stage)
    with log_curves(curves) as log:
        trained = stage.train(ALL, log, show)
    with whole_folder(folder) as partial:
        _save(stage, trained, partial)
        folds = stage.labelled.trainings[1:]
        if folds:
            _add_folds(stage, folds, partial, keep, show)
    clear_checkpoints(stage.plan.checkpoints / stage.plan.stage)
    say(f"{stage.plan.stage}: wrote {folder}")


def fold_folder(model: Path, fold: int) -> Path:
    """The folder of the model of a fold, in that of the model of all patients; that one for ALL."""
    return model if fold == ALL else model / "folds" / str(fold)


def _train_in_parallel(stage: StageTraining) -> bool:
    """Leave all trainings in their checkpoints, if there are several that can run in parallel."""
    pieces = []
    for fold in stage.labelled.trainings:
        pieces += [(fold, member) for member in stage.members(fold)]
    if len(pieces) == 1 or stage.device.type == "cuda":
        return False
    say(f"{stage.plan.purpose}: {_describe(stage)}")
    with counting(stage.plan.purpose, len(pieces), "training") as show:

        def show_piece(position: int) -> None:
            fold, member = pieces[position]
            where = "all patients" if fold == ALL else f"outside of fold {fold}"
            show(f"{where}, member {member}" if len(stage.members(fold)) > 1 else where)

        run_parallel(functools.partial(_train_piece, stage), pieces, show_piece)
    return True


def _describe(stage: StageTraining) -> str:
    """What a stage trains on, for a message."""
    labelled = stage.labelled
    on = f"trains on {len(labelled.train)} lesions of {labelled.domain.read().name}"
    if len(labelled.validation):
        return f"{on}, validates on {len(labelled.validation)}"
    epochs = f"all {stage.plan.recipe.epochs} epochs without validation"
    return f"{on}, {epochs}, and again outside of each of {labelled.folds.max()} folds"


def _train_piece(stage: StageTraining, piece: tuple[int, int]) -> None:
    use_deterministic_algorithms()
    training = stage.plan.training
    memory = share_for_each(training.memory, stage.device)
    shared = replace(stage.plan, training=training.model_copy(update={"memory": memory}))
    replace(stage, plan=shared).train_member(*piece)


def _add_folds(
    stage: StageTraining, folds: Sequence[int], folder: Path, keep: bool, show: bool
) -> None:
    """Write the models of the folds, and what each predicts for its fold, into a model folder."""
    labelled = stage.labelled
    domain = labelled.domain.read()
    predicted = np.zeros((len(labelled.train), len(domain.classes)))
    for fold in folds:
        place = fold_folder(folder, fold)
        place.mkdir(parents=True)
        _save(stage, stage.train(fold, show=show), place)
        inside = labelled.folds == fold
        rows = labelled.train[inside]
        covariates = domain.clinical(rows) if domain.kinds else None
        model = load_model(place, stage.device)
        predicted[inside] = model.predict(ImageRows(domain.images, rows), covariates)
        if not keep:
            (place / WEIGHTS).unlink()
    write_out_of_fold(folder, labelled.train, labelled.folds, predicted, domain.classes)


def _save(stage: StageTraining, trained: Trained, folder: Path) -> None:
    card = complete_card(trained.architecture, trained.task, stage.plan, trained.card)
    save_model(folder, trained.networks, card)
