"""Scores of one model on the cases of a part, their intervals, and the gain over another model."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from graft.statistics.bootstrap import (
    WeightedScores,
    draw_patients,
    interval,
    jackknife,
    p_value,
    resample,
)
from graft.statistics.correction import DECIMALS, bca_correction
from graft.statistics.scores import (
    PER_CLASS,
    WITHOUT_INTERVAL,
    call,
    choose_threshold,
    confusion,
    per_class,
    score,
)


@dataclass(frozen=True)
class Cases:
    """The N cases of one part of a split, and how often each resample draws each patient.

    Every model is scored with the same draws, so that differences between models are paired.
    """

    rows: pd.DataFrame  # N rows of index.csv
    labels: np.ndarray  # (N,) class codes
    patient: np.ndarray  # (N,) columns of draws
    draws: np.ndarray  # (R, P)

    @classmethod
    def of(
        cls,
        rows: pd.DataFrame,
        classes: list[str],
        resamples: int,
        generator: np.random.Generator,
    ) -> "Cases":
        """Make cases from rows of index.csv, whose `label` is one of `classes`."""
        labels = class_codes(rows, classes)
        patient, patients = pd.factorize(rows["patient"])
        draws = draw_patients(len(patients), resamples, generator)
        return cls(rows, labels, patient, draws)

    @property
    def samples(self) -> tuple[int, ...]:
        """The sample number of each case."""
        samples = self.rows["sample"].tolist()
        return tuple(samples)


@dataclass(frozen=True)
class ResampledScores:
    """Scores by name: of all cases, resampled and jackknifed. NaN means "not defined"."""

    point: dict[str, float]
    resampled: dict[str, np.ndarray]  # (R,) each
    jackknifed: dict[str, np.ndarray]  # (P,) each: with one patient left out


@dataclass(frozen=True)
class Assessment:
    """A model's threshold, which comes from validation cases, and its scores on each part."""

    threshold: float | None  # None with more than two classes, and without validation cases
    fitted_on: tuple[int, ...]  # the samples that the threshold was chosen on
    probabilities: dict[str, np.ndarray]  # part -> (N, C)
    parts: dict[str, ResampledScores]  # scores at the threshold
    # part -> (C, C) number of cases, true class × called class
    confusions: dict[str, np.ndarray] = field(default_factory=dict)


def class_codes(rows: pd.DataFrame, classes: list[str]) -> np.ndarray:
    """Return the class code of each row's `label`: (N,)."""
    code_of = {name: code for code, name in enumerate(classes)}
    codes = rows["label"].map(code_of)
    return codes.to_numpy(np.int64)


def assess(cases: dict[str, Cases], probabilities: dict[str, np.ndarray]) -> Assessment:
    """Choose the threshold on the part "validation", then score every predicted part with it.

    Args:
        cases: part -> its cases.
        probabilities: part -> (N, C), in the order of the cases. Without "validation" there is no
            threshold, and the most probable class is called.
    """
    threshold = None
    fitted_on: tuple[int, ...] = ()
    if "validation" in probabilities:
        threshold = choose_threshold(cases["validation"].labels, probabilities["validation"])
        fitted_on = cases["validation"].samples
    scores = {}
    confusions = {}
    for part, predicted in probabilities.items():
        scores[part] = score_model(cases[part], predicted, threshold)
        confusions[part] = count_calls(cases[part].labels, predicted, threshold)
    return Assessment(
        threshold=threshold,
        fitted_on=fitted_on,
        probabilities=probabilities,
        parts=scores,
        confusions=confusions,
    )


def score_cases(cases: Cases, scores: WeightedScores) -> ResampledScores:
    """Compute scores of all cases, of each resample and with each patient left out.

    Args:
        cases: N cases.
        scores: takes weights (r, N) and returns name -> (r,), NaN where a score is not defined.
    """
    patients = cases.draws.shape[1]
    equal_weights = np.ones((1, len(cases.labels)))
    point = {}
    for name, values in scores(equal_weights).items():
        point[name] = float(values[0])
    return ResampledScores(
        point=point,
        resampled=resample(scores, cases.draws, cases.patient),
        jackknifed=jackknife(scores, cases.patient, patients),
    )


def score_model(
    cases: Cases,
    probabilities: np.ndarray,
    threshold: float | None,
) -> ResampledScores:
    """Compute the scores of graft.statistics.scores.HEADLINE of (N, C) probabilities."""

    def scores(weights: np.ndarray) -> dict[str, np.ndarray]:
        return score(cases.labels, probabilities, weights, threshold)

    return score_cases(cases, scores)


def count_calls(
    labels: np.ndarray,
    probabilities: np.ndarray,
    threshold: float | None,
) -> np.ndarray:
    """Count the cases of each true class × called class: (C, C)."""
    classes = probabilities.shape[1]
    called = call(probabilities, threshold)
    equal_weights = np.ones((1, len(labels)))
    matrix = confusion(labels, called, equal_weights, classes)  # (1, C, C)
    return matrix[0].astype(np.int64)


def estimates(scores: ResampledScores, confidence: float) -> dict[str, dict[str, float]]:
    """Return each score with its BCa interval: name -> {value, low, high, left_out}.

    `left_out` counts the resamples in which the score was not defined. The scores of
    WITHOUT_INTERVAL have their value alone: name -> {value}.
    """
    found: dict[str, dict[str, float]] = {}
    for name, value in scores.point.items():
        if name in WITHOUT_INTERVAL:
            found[name] = {"value": value}
            continue
        values = scores.resampled[name]
        jackknifed = scores.jackknifed[name]
        correction = bca_correction(value, values, jackknifed)
        low, high, left_out = interval(values, confidence, correction)
        found[name] = {
            "value": value,
            "low": low,
            "high": high,
            "left_out": left_out,
        }
    return found


def gain(
    model: ResampledScores,
    reference: ResampledScores,
    confidence: float,
    score: str = "auroc",
) -> dict[str, float]:
    """Compare a score with that of a reference on the same cases and draws.

    The interval is BCa, widened as Student's t is. Differences over a few dozen patients need
    this, single scores do not.

    Returns:
        {value, low, high, p, left_out} of the difference, model minus reference.
    """
    value = float(_difference(model.point, reference.point, score))
    differences = _difference(model.resampled, reference.resampled, score)  # (R,)
    jackknifed = _difference(model.jackknifed, reference.jackknifed, score)  # (P,)
    correction = bca_correction(value, differences, jackknifed, widen=True)
    low, high, left_out = interval(differences, confidence, correction)
    p = p_value(differences, correction)
    return {
        "value": value,
        "low": low,
        "high": high,
        "p": p,
        "left_out": left_out,
    }


def scores_by_class(matrix: np.ndarray, classes: list[str]) -> dict[str, dict[str, float]]:
    """Return the scores of PER_CLASS, class -> {name: value}, from a confusion matrix (C, C)."""
    scores = per_class(matrix[None])  # (1, C) each
    found: dict[str, dict[str, float]] = {}
    for code, label in enumerate(classes):
        found[label] = {}
        for name in PER_CLASS:
            found[label][name] = float(scores[name][0, code])
    return found


def _difference(model: Mapping, reference: Mapping, score: str) -> np.ndarray:
    difference = model[score] - reference[score]
    return np.round(difference, DECIMALS)
