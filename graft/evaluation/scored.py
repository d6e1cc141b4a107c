"""All models and baselines of a target with their scores, and which of the models is chosen."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from graft.common.documents import DECIMALS
from graft.evaluation.entries import COVARIATES, SIZE
from graft.evaluation.evaluated_domain import EvaluatedDomain
from graft.evaluation.settings import Evaluate
from graft.evaluation.tuning import Tuned, tune
from graft.networks.saved import load_model
from graft.statistics.cases import Assessment


@dataclass(frozen=True)
class ScoredModels:
    """What models and baselines score on one target.

    Attributes:
        models: by name.
        baselines: by name; without COVARIATES if the target has none.
        chosen: the name of the model with the lowest log loss on the validation cases.
        withheld: the chosen model without the covariates; None if the target has none.
        tuned: what was fitted on the validation cases for each model and baseline.
    """

    models: dict[str, Assessment]
    baselines: dict[str, Assessment]
    chosen: str
    withheld: Assessment | None
    tuned: dict[str, Tuned]

    @property
    def all(self) -> dict[str, Assessment]:
        """The models and the baselines."""
        return self.models | self.baselines


def score_models(
    target: EvaluatedDomain,
    folders: Mapping[str, Path],
    out_of_fold: Mapping[str, np.ndarray],
    settings: Evaluate,
    device: torch.device,
) -> ScoredModels:
    """Score all models and baselines, choose a model, and fit calibrators and operating points.

    Args:
        target: the domain.
        folders: of the models, by name.
        out_of_fold: (T, C) of the training rows by each model; empty with a validation part.
        settings: of the evaluation.
        device: to predict on.

    Raises:
        InputError: if a model cannot be read, or does not fit the target.
    """
    models = {}
    for name, folder in folders.items():
        models[name] = target.assess(load_model(folder, device), out_of_fold.get(name))
    chosen = choose_model(models)
    baselines = {"majority": target.assess_majority(), SIZE: target.assess_size_alone()}
    withheld = None
    if known := target.assess_covariates_only():
        baselines[COVARIATES] = known
        withheld = target.assess(load_model(folders[chosen], device), withhold=True)
    tuned = {}
    for name, scored in (models | baselines).items():
        tuned[name] = tune(scored, target.cases, settings)
    return ScoredModels(models, baselines, chosen, withheld, tuned)


def choose_model(models: Mapping[str, Assessment]) -> str:
    """Choose the model with the lowest log loss of validation cases; of equal ones the first."""

    def log_loss(name: str) -> float:
        return round(models[name].parts["validation"].point["log_loss"], DECIMALS)

    return min(models, key=log_loss)
