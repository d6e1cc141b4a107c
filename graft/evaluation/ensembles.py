"""The block `ensembles` of metrics.json: what averaging networks gained over single ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from graft.common.vocabulary import TESTS
from graft.data.image_rows import ImageRows
from graft.evaluation.evaluated_domain import EvaluatedDomain
from graft.evaluation.parts import by_test_part
from graft.networks.saved import Model
from graft.statistics.cases import (
    Assessment,
    Cases,
    ResampledScores,
    estimates,
    gain,
    score_cases,
)
from graft.statistics.repeated_auroc import auroc_from_pairs, count_ranked_pairs
from graft.statistics.scores import PROBABILITY_DECIMALS

SCHEMA = Path(__file__).with_name("ensembles.schema.json")
MEAN = "the mean of its members"  # what an ensemble of independent trainings is compared with


@dataclass(frozen=True)
class Averaged:
    """An ensemble and what its gain is measured against, each scored on some test parts.

    Attributes:
        members: the number of networks.
        over: what it is compared with: the name of a model, or MEAN.
        scores: by part, with the score `auroc`.
        reference: the same for what it is compared with.
    """

    members: int
    over: str
    scores: Mapping[str, ResampledScores]
    reference: Mapping[str, ResampledScores]


def average_members(
    cases: Mapping[str, Cases], predictions: Mapping[str, Sequence[np.ndarray]]
) -> Averaged:
    """Score the mean of the probabilities of K networks, and the mean of their K AUROCs.

    Lakshminarayanan et al., Simple and Scalable Predictive Uncertainty Estimation using Deep
    Ensembles, NeurIPS 2017.

    Args:
        cases: by part.
        predictions: by part, K arrays (N, C).
    """
    together = {}
    apart = {}
    members = 0
    for part, probabilities in predictions.items():
        members = len(probabilities)
        together[part] = _score([np.mean(probabilities, axis=0)], cases[part])
        apart[part] = _score(probabilities, cases[part])
    return Averaged(members, MEAN, together, apart)


def compare_models(
    models: Mapping[str, Assessment], ensemble: str, members: int, over: str
) -> Averaged:
    """Compare an ensemble with the model that its members started from or could replace.

    Args:
        models: assessed, by name.
        ensemble: its name.
        members: how many networks it has.
        over: the name of the other model.
    """
    return Averaged(members, over, models[ensemble].parts, models[over].parts)


def predict_by_members(target: EvaluatedDomain, model: Model) -> dict[str, list[np.ndarray]]:
    """Predict each test part by each network of a model: part -> K arrays (N, classes)."""
    domain = target.domain
    found: dict[str, list[np.ndarray]] = {}
    for part in TESTS:
        if part not in target.rows:
            continue
        rows = target.rows[part]
        covariates = domain.clinical(rows) if domain.kinds else None
        found[part] = []
        for network in model.networks:
            single = Model({**model.card, "shares": [1.0]}, [network])
            probabilities = single.predict(ImageRows(domain.images, rows), covariates)
            found[part].append(probabilities.round(PROBABILITY_DECIMALS))
    return found


def ensembles_block(
    ensembles: Mapping[str, Averaged | None], confidence: float
) -> dict[str, dict | None]:
    """Return AUROC and paired gain of each ensemble on each test part; None for a missing one."""
    found: dict[str, dict | None] = {}
    for name, averaged in ensembles.items():
        found[name] = _entry(averaged, confidence) if averaged else None
    return found


def _entry(averaged: Averaged, confidence: float) -> dict:
    def entry(part: str) -> dict:
        scores = averaged.scores[part]
        return {
            "auroc": estimates(scores, confidence)["auroc"],
            "gain": gain(scores, averaged.reference[part], confidence),
        }

    return {
        "members": averaged.members,
        "over": averaged.over,
        **by_test_part(averaged.scores, entry),
    }


def _score(predictions: Sequence[np.ndarray], cases: Cases) -> ResampledScores:
    """Score the mean AUROC of some predictions (N, C) of the same cases."""

    def mean_auroc(weights: np.ndarray) -> dict[str, np.ndarray]:
        aurocs = []
        for probabilities in predictions:
            aurocs.append(
                auroc_from_pairs(*count_ranked_pairs(cases.labels, probabilities, weights))
            )
        return {"auroc": np.mean(aurocs, axis=0)}  # (r,)

    return score_cases(cases, mean_auroc)
