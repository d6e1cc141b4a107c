"""Trainings on real data: the arms that are compared, and what their networks predicted.

A table of predictions has a row per trial, arm and test case, with the columns trial, share, arm,
sample and probability, of the second class.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from graft.common.seeds import derive, generator
from graft.config.parameters import Parameters
from graft.data.domain import Domain, write_domain
from graft.data.folds import deal_patients, random_orders
from graft.data.reference import DomainReference
from graft.data.task import NO_ROWS
from graft.evaluation.baselines import size_alone
from graft.ingest.log_size import LOG_SIZE, add_log_size
from graft.networks.reference import ModelReference
from graft.repeated.settings import RepeatedFinetuning
from graft.repeated.trainings import PulledSource, RepeatedTrainings, Rows

SCRATCH = "scratch"
SIZE_ALONE = "size alone"


@dataclass(frozen=True)
class Arm:
    """A way to train.

    Attributes:
        name: in tables.
        source: the name of the source, or None to train from scratch.
        weight: λ.
        finetune: the parameters of `finetune` that differ from params.yaml.
        augment: the parameters of `augment` that differ from params.yaml.
        network: the parameters of `network` that differ from params.yaml.
        target: which of the target's domains it trains on: they differ in patch or covariates.
    """

    name: str
    source: str | None = None
    weight: float = 0.01
    finetune: Mapping[str, object] = field(default_factory=dict)
    augment: Mapping[str, object] = field(default_factory=dict)
    network: Mapping[str, object] = field(default_factory=dict)
    target: str = "image"


@dataclass(frozen=True)
class Trial:
    """One training of each arm: the same labelled lesions, the same seed, the same test.

    Attributes:
        number: of the draw of patients.
        share: of the labels.
        train: rows of the target to train on.
        test: rows to predict.
        sources: the source network by name.
        epochs: instead of those of params.yaml.
    """

    number: int
    share: float
    train: np.ndarray
    test: np.ndarray
    sources: Mapping[str, ModelReference] = field(default_factory=dict)
    epochs: int | None = None


@dataclass(frozen=True)
class Bench:
    """The folder of a benchmark and the parameters that its trainings share.

    Attributes:
        name: of the benchmark, which names its trainings in the cache.
        folder: of domains, sources and finished trainings.
        parameters: those of params.yaml.
    """

    name: str
    folder: Path
    parameters: Parameters

    def keep(self, domain: Domain, name: str) -> DomainReference:
        """Write a domain into the folder, and refer to it."""
        folder = self.folder / "domains" / name
        write_domain(folder, domain)
        return DomainReference.to(folder)

    def run(
        self, targets: Mapping[str, DomainReference], trials: Sequence[Trial], arms: Sequence[Arm]
    ) -> pd.DataFrame:
        """Train every arm in every trial, and return their predictions.

        Trainings that are finished are not repeated. No patient is held back for validation: each
        arm trains for `finetune.epochs`. Without trials or arms, the table has no row.
        """
        if not trials or not arms:
            nobody = Trial(0, 0.0, NO_ROWS, NO_ROWS)
            return _predictions(nobody, SCRATCH, np.zeros((0, 2)))
        planned = []
        places = []
        for arm in arms:
            for trial in trials:
                trainings = self._trainings(targets[arm.target], arm, trial.epochs)
                source = None
                if arm.source is not None:
                    source = PulledSource(arm.source, trial.sources[arm.source], arm.weight)
                title = f"{arm.name}, {trial.share:.0%}, training {trial.number + 1}"
                kind = trainings.settings.finetune.strategy if source else SCRATCH
                rows = Rows(trial.train, NO_ROWS, trial.test)
                seed = derive(self.parameters.seed, self.name, trial.number)
                planned.append(trainings.plan_one(title, kind, rows, seed, source))
                places.append((arm, trial))
        results = trainings.collect(planned, self.folder / "trainings")
        tables = []
        for (arm, trial), result in zip(places, results, strict=True):
            tables.append(_predictions(trial, arm.name, result["predicted"]))
        return pd.concat(tables, ignore_index=True)

    def _trainings(
        self, target: DomainReference, arm: Arm, epochs: int | None
    ) -> RepeatedTrainings:
        parameters = self.parameters
        sections = {name: getattr(parameters, name) for name in RepeatedFinetuning.model_fields}
        finetune = {**arm.finetune, **({"epochs": epochs} if epochs else {})}
        changed = {"finetune": finetune, "augment": arm.augment, "network": arm.network}
        for name, changes in changed.items():
            section = sections[name]
            sections[name] = type(section)(**section.model_dump() | dict(changes))
        return RepeatedTrainings(
            stage=self.name,
            target=target,
            settings=RepeatedFinetuning(**sections),
            device=torch.device("cpu"),
            checkpoints=self.folder / "checkpoints",
        )


def with_size(domain: Domain) -> Domain:
    """Return a domain with the covariate that a user switches on by `log_size: number`."""
    covariates = add_log_size(None, domain.index["size"])
    return replace(domain, kinds={LOG_SIZE: "number"}, covariates=covariates)


def halve(domain: Domain, name: str, seed: int) -> np.ndarray:
    """Divide the patients of each class into halves: the half (N,) of each lesion, 0 or 1."""
    orders = random_orders(domain.index, domain.classes, generator(seed, name, "halves"))
    return domain.index["patient"].map(deal_patients(orders, 2)).to_numpy()


def predict_by_size(domain: Domain, trials: Sequence[Trial]) -> pd.DataFrame:
    """Predict by the size alone, fitted to the labelled lesions of each trial, as another arm."""
    sizes = domain.index["size"].to_numpy()
    codes = domain.index["label"].map(domain.classes.index).to_numpy()
    tables = []
    for trial in trials:
        predicted = size_alone(sizes[trial.train], codes[trial.train], sizes[trial.test], 2)
        tables.append(_predictions(trial, SIZE_ALONE, predicted))
    return pd.concat(tables, ignore_index=True)


def _predictions(trial: Trial, arm: str, probabilities: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "trial": trial.number,
            "share": trial.share,
            "arm": arm,
            "sample": trial.test,
            "probability": probabilities[:, 1],
        }
    )
