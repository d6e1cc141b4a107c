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
PARENT = "regularized"  # the model that the members of bagging and boosting started from
MEAN = "the mean of its members"  # what an ensemble of independent trainings is compared with


def judge_ensembles(
    target: EvaluatedDomain,
    models: Mapping[str, Assessment],
    members: Mapping[str, int],
    deep: Model | None,
    from_scratch: Sequence[np.ndarray],
    confidence: float,
) -> dict[str, dict | None]:
    """Make the block: AUROC and paired gain of each ensemble on each test part.

    Bagging and boosting are compared with the network that their members started from. A deep
    ensemble has independent trainings as members, and is compared with their mean AUROC.

    Args:
        target: the domain.
        models: assessed on it, by name.
        members: the number of networks of each ensemble among the models.
        deep: the deep ensemble of transfer; None if there is none.
        from_scratch: the test part as predicted by each of as many trainings from scratch.
        confidence: of the intervals.
    """
    block: dict[str, dict | None] = {"deep": None, "deep_scratch": None}
    for name, number in members.items():
        averaged = Averaged(number, PARENT, models[name].parts, models[PARENT].parts)
        block[name] = entry_of(averaged, confidence)
    if deep:
        predictions = predict_by_members(target, deep)
        block["deep"] = entry_of(average_members(target.cases, predictions), confidence)
        averaged = average_members(target.cases, {"test": from_scratch})
        block["deep_scratch"] = entry_of(averaged, confidence)
    return block


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


def entry_of(averaged: Averaged, confidence: float) -> dict:
    """Return the AUROC and the paired gain of an ensemble on each of TESTS."""

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
            correct, pairs = count_ranked_pairs(cases.labels, probabilities, weights)
            aurocs.append(auroc_from_pairs(correct, pairs))
        return {"auroc": np.mean(aurocs, axis=0)}  # (r,)

    return score_cases(cases, mean_auroc)
