"""Trials: one arm, trained on some patients of the target and asked about others."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from graft import imports
from graft.data.domain import Domain
from graft.data.task import Task, make_task
from graft.networks.saved import Model
from graft.networks.settings import Network
from graft.repeated.cache import Arrays, Unit
from graft.repeated.linear_probe import predict_by_linear_probe
from graft.training.loop import Plan
from graft.training.settings import Augment, Training
from graft.transfer.settings import Finetune
from graft.transfer.start import Start, fit_start, start_from_scratch, start_from_source

DECIMALS = 8  # of a probability, as evaluate has them


@dataclass(frozen=True)
class Rows:
    """Rows of a domain's index: to learn from, to validate on, and to predict, which decide nothing."""

    train: np.ndarray
    validation: np.ndarray
    asked: np.ndarray

    def key(self) -> list[list[int]]:
        return [rows.tolist() for rows in (self.train, self.validation, self.asked)]


@dataclass(frozen=True)
class Source:
    """A pretrained network by its name, and the pull λ towards it."""

    name: str
    model: Model
    weight: float

    def key(self) -> list:
        return [self.model.card["weights_sha256"], self.weight]


@dataclass(frozen=True)
class Trials:
    """What all trials of a stage share: the domain, and how finetune trains there."""

    stage: str
    domain: Domain
    network: Network
    recipe: Finetune
    training: Training
    augment: Augment
    device: torch.device

    def unit(
        self, name: str, arm: str, rows: Rows, seed: int, source: Source | None = None
    ) -> Unit:
        """The unit of one trial; it gives probabilities (N, classes) of the rows `validation` and `asked`.

        Args:
            name: what people are shown.
            arm: "scratch", or with a source "transfer" (finetune's recipe), or "frozen" (graft.repeated.linear_probe).
            rows: no row in two of the three.
            seed: of the new weights and of the order of the samples.
        """
        key = [
            arm,
            rows.key(),
            seed,
            source and source.key(),
            self._data,
            str(self.device),
            [
                section.model_dump()
                for section in (self.network, self.recipe, self.training, self.augment)
            ],
        ]
        return Unit(
            name, key, imports.reached(Path(__file__)), lambda: self._work(arm, rows, seed, source)
        )

    def _work(self, arm: str, rows: Rows, seed: int, source: Source | None) -> Arrays:
        task = make_task(self.domain, rows.train, rows.validation, self.device)
        if source is None:
            start = start_from_scratch(self.network, task, seed, self.device)
        else:
            start = start_from_source(
                source.model, task, self.recipe, source.weight, seed, self.device
            )
        asked = {"validation": rows.validation, "asked": rows.asked}
        if arm == "frozen":
            predicted = predict_by_linear_probe(
                start, task, self.domain, asked.values(), self.training.class_weights
            )
        else:
            plan = Plan(
                self.recipe, self.training, self.augment, seed, f"{self.stage}/{arm}", start.pull
            )
            fit_start(start, task, plan)
            predicted = [_predict(start, task, self.domain, each) for each in asked.values()]
        return {name: found.round(DECIMALS) for name, found in zip(asked, predicted, strict=True)}

    @cached_property
    def _data(self) -> str:
        """A hash of all that the domain says: a network learns from some of it and is asked about some."""
        digest = hashlib.sha256(np.ascontiguousarray(self.domain.images).tobytes())
        for table in (self.domain.index, self.domain.clinical(np.arange(len(self.domain.index)))):
            digest.update(table.to_csv().encode())
        return digest.hexdigest()


def _predict(start: Start, task: Task, domain: Domain, rows: np.ndarray) -> np.ndarray:
    card = {
        "architecture": start.architecture,
        "classes": domain.classes,
        "covariates": list(task.encoding.columns),
        "shares": [1.0],
    }
    known: Sequence = [domain.clinical(rows)] if domain.kinds else []
    return Model(card, [start.network.eval()]).predict(domain.images[rows], *known)
