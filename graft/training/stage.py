"""What a stage trains on, and how: on all labelled patients, and outside of each fold."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import torch

from graft.data.covariates import Encoding
from graft.data.reference import DomainReference
from graft.data.split import read_folds, read_split
from graft.data.task import NO_ROWS, Task, make_task
from graft.networks.classifier import Classifier
from graft.networks.out_of_fold import ALL
from graft.networks.settings import Predict
from graft.training.loop import Log
from graft.training.plan import Plan


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
        predict: how its models predict.
    """

    labelled: Labelled
    device: torch.device
    plan: Plan
    predict: Predict

    @abstractmethod
    def train(self, fold: int, log: Log | None = None, show: bool = False) -> Trained:
        """Train outside of a fold, or read what has been trained from the checkpoints.

        Args:
            fold: or ALL.
            log: gets the rows of the training; None for the trainings of folds.
            show: whether to print a progress bar.
        """

    def members(self, fold: int) -> Sequence[int]:
        """The members that can be trained in parallel; by default the training as a whole.

        There is none if nothing is left in a checkpoint.
        """
        return [0]

    def train_member(self, fold: int, member: int) -> None:
        """Train one of them, and leave it in a checkpoint."""
        self.train(fold)

    def plan_of(self, fold: int) -> Plan:
        """How the stage trains outside of a fold: with its own batches and transforms.

        Fresh weights and bootstrap resamples depend on the seed alone, which is that of all folds.
        """
        if fold == ALL:
            return self.plan
        return replace(self.plan, purpose=f"{self.plan.purpose}/fold-{fold}")

    def task(self, fold: int, encoding: Encoding | None = None) -> Task:
        """What the stage trains on outside of a fold."""
        return self.labelled.task(fold, self.device, encoding, self.plan.training.memory)
