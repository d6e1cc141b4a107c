"""One of several trainings: an arm trains on some patients of the target and predicts others."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from graft.common.files import FILES, read_sealed
from graft.common.vocabulary import WITHOUT_LAMBDA
from graft.data.domain import DOCUMENT, Domain
from graft.data.image_rows import ImageRows
from graft.data.memory import share_for_each
from graft.data.predictions import DECIMALS
from graft.data.reference import DomainReference
from graft.data.task import Task, make_task
from graft.networks.card import read_card
from graft.networks.device import use_deterministic_algorithms
from graft.networks.reference import ModelReference
from graft.networks.saved import Model
from graft.repeated.cache import Arrays, CachedTraining, collect_results
from graft.repeated.kept_weights import as_arrays
from graft.repeated.settings import RepeatedFinetuning
from graft.strategies.train import fit_strategy
from graft.training.checkpoint import clear_checkpoints, key_digest
from graft.training.plan import Plan
from graft.training.settings import Recipe
from graft.transfer.settings import Arm, Strategy
from graft.transfer.start import Start, start_from_scratch, start_from_source


@dataclass(frozen=True)
class Rows:
    """Rows of a domain's index: to train on, to validate on, and to predict only."""

    train: np.ndarray
    validation: np.ndarray
    predicted: np.ndarray

    def key(self) -> list[list[int]]:
        """The rows as plain JSON values."""
        return [self.train.tolist(), self.validation.tolist(), self.predicted.tolist()]


@dataclass(frozen=True)
class PulledSource:
    """A pretrained network by its name, and the weight λ of the pull towards it."""

    name: str
    model: ModelReference
    weight: float

    def key(self, strategy: Strategy) -> list:
        """The part of a training's key that depends on the source, as plain JSON values."""
        weight = None if strategy in WITHOUT_LAMBDA else self.weight
        card = read_card(self.model.folder)
        read = [card.get(entry) for entry in ("architecture", "classes", "covariates")]
        return [self.model.weights_sha256, read, strategy, weight]


@dataclass(frozen=True)
class RepeatedTrainings:
    """What all trainings of a stage have in common, small enough to be sent to another process.

    Attributes:
        stage: names the checkpoints and keys the cache.
        target: the domain.
        settings: the parameters of fine-tuning.
        device: where the networks train.
        checkpoints: the folder of the checkpoints of all stages.
    """

    stage: str
    target: DomainReference
    settings: RepeatedFinetuning
    device: torch.device
    checkpoints: Path

    @property
    def domain(self) -> Domain:
        """The target, which each process reads once."""
        return self.target.read()

    def plan_one(
        self,
        name: str,
        arm: Arm,
        rows: Rows,
        seed: int,
        source: PulledSource | None = None,
        keep_weights: bool = False,
    ) -> CachedTraining:
        """Plan one training, which runs when its result is collected.

        Args:
            name: shown when it is finished.
            arm: "scratch" without a source, and a strategy with one.
            rows: no row is in two of the three.
            seed: of the fresh weights and of the order of the samples.
            source: what the training starts from.
            keep_weights: whether its result has the weights too, as `kept_weights.rebuild` reads
                them.

        Returns:
            The training. Its result has the probabilities (N, classes) of the rows to validate on
            (`validation`) and to predict (`predicted`).
        """
        settings = self.settings
        strategy = None if arm == "scratch" else arm
        sections = (settings.network, settings.training, settings.augment, settings.predict)
        key = [
            self.stage,
            rows.key(),
            seed,
            source.key(strategy) if source and strategy else None,
            self._data_key(),
            str(self.device),
            self._recipe(strategy).model_dump(exclude={"strategy"}),
            [section.model_dump() for section in sections],
            keep_weights,
        ]
        checkpoints = self.checkpoints / self.stage / key_digest(key, ())
        run = partial(self._run, strategy, rows, seed, source, keep_weights, checkpoints)
        return CachedTraining(name, key, run)

    def collect(self, planned: Sequence[CachedTraining], cache: Path) -> list[Arrays]:
        """Run the trainings whose results are not in the cache: in parallel, or on one GPU.

        Returns:
            The result of each training, in their order.
        """
        results = collect_results(self.stage, planned, cache, sequential=self.device.type == "cuda")
        clear_checkpoints(self.checkpoints / self.stage)
        return results

    def _run(
        self,
        strategy: Strategy | None,
        rows: Rows,
        seed: int,
        source: PulledSource | None,
        keep_weights: bool,
        checkpoints: Path,
    ) -> Arrays:
        """Train, and predict the rows to validate on and those to predict.

        The training has a folder of checkpoints of its own, because others run at the same time.
        """
        use_deterministic_algorithms()
        settings = self.settings
        memory = share_for_each(settings.training.memory, self.device)
        task = make_task(self.domain, rows.train, rows.validation, self.device, memory=memory)
        if source is None:
            start = start_from_scratch(settings.network, task, seed, self.device)
        else:
            model = source.model.load(self.device)
            recipe, weight = settings.finetune, source.weight
            start = start_from_source(model, task, recipe, weight, seed, self.device)
        plan = Plan(
            recipe=self._recipe(strategy),
            training=settings.training,
            augment=settings.augment,
            seed=seed,
            purpose=f"{self.stage}/{'transfer' if source else 'scratch'}",
            checkpoints=checkpoints,
        )
        fit_strategy(strategy, start, task, plan, show=False)
        clear_checkpoints(checkpoints)
        validation = self._predict(start, task, rows.validation)
        predicted = self._predict(start, task, rows.predicted)
        return {
            "validation": validation.round(DECIMALS),
            "predicted": predicted.round(DECIMALS),
            **(as_arrays(start.network) if keep_weights else {}),
        }

    def _recipe(self, strategy: Strategy | None) -> Recipe:
        """How long a training by a strategy takes; None is training from scratch."""
        finetune = self.settings.finetune
        return finetune if strategy else finetune.from_scratch()

    def _predict(self, start: Start, task: Task, rows: np.ndarray) -> np.ndarray:
        """Predict N rows of the domain by a trained network: probabilities (N, classes)."""
        domain = self.domain
        card = {
            "architecture": start.architecture,
            "classes": domain.classes,
            "covariates": list(task.encoding.columns),
            "shares": [1.0],
            "predict": self.settings.predict.model_dump(),
        }
        model = Model(card, [start.network.eval()])
        covariates = domain.clinical(rows) if domain.kinds else None
        return model.predict(ImageRows(domain.images, rows), covariates)

    def _data_key(self) -> list:
        """Everything in the domain that a training or a prediction depends on."""
        files = read_sealed(self.target.folder / DOCUMENT)[FILES]
        digests = [files.get(name) for name in ("images.npy", "index.csv", "covariates.csv")]
        return [digests, list(self.domain.classes), dict(self.domain.kinds)]
