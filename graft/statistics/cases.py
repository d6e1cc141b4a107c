"""One model's probabilities against the truth: point values, resampled values, and the gain over another model."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from graft.statistics.bootstrap import DECIMALS, bend, draw, interval, jackknife, p_value, resample
from graft.statistics.scores import (
    HEADLINE,
    PER_CLASS,
    call,
    choose_threshold,
    confusion,
    per_class,
    score,
)


@dataclass(frozen=True)
class Cases:
    """The cases of one part of a split, and how often each patient is drawn in each resample.

    Every model is judged with the same draws, so that differences between models are paired.
    """

    rows: pd.DataFrame  # N rows of index.csv
    labels: np.ndarray  # (N,) class codes
    patient: np.ndarray  # (N,) columns of draws
    draws: np.ndarray  # (R, P)

    @classmethod
    def of(
        cls, rows: pd.DataFrame, classes: list[str], resamples: int, generator: np.random.Generator
    ) -> "Cases":
        """Cases from rows of index.csv, whose `label` is one of `classes`."""
        patient, patients = pd.factorize(rows["patient"])
        return cls(rows, codes(rows, classes), patient, draw(len(patients), resamples, generator))

    @property
    def samples(self) -> tuple[int, ...]:
        """The sample number of each case."""
        return tuple(self.rows["sample"].tolist())


@dataclass(frozen=True)
class Judgement:
    """How a model did on one part. NaN stands for "not defined"."""

    point: dict[str, float]  # the scores of graft.statistics.scores.HEADLINE
    resampled: dict[str, np.ndarray]  # the same names, (R,) each
    jackknifed: dict[str, np.ndarray]  # the same names, (P,) each: with one patient left out
    confusion: np.ndarray  # (C, C) number of cases, true class × called class
    per_class: dict[str, np.ndarray]  # the scores of graft.statistics.scores.PER_CLASS, (C,) each


@dataclass(frozen=True)
class Assessment:
    """A model's threshold, from the validation part, and how it did on each part with that threshold."""

    threshold: float | None
    fitted_on: tuple[int, ...]  # the samples that the threshold was chosen on
    probabilities: dict[str, np.ndarray]  # part -> (N, C)
    parts: dict[str, Judgement]


def codes(rows: pd.DataFrame, classes: list[str]) -> np.ndarray:
    """The class code of each row's `label`: (N,)."""
    return rows["label"].map({name: code for code, name in enumerate(classes)}).to_numpy(np.int64)


def assess(cases: dict[str, Cases], probabilities: dict[str, np.ndarray]) -> Assessment:
    """Choose the threshold on the part "validation", then judge every part with it.

    Args:
        cases: part -> its cases.
        probabilities: part -> (N, C), in the order of the cases.
    """
    threshold = choose_threshold(cases["validation"].labels, probabilities["validation"])
    judged = {part: judge(cases[part], probabilities[part], threshold) for part in cases}
    return Assessment(threshold, cases["validation"].samples, probabilities, judged)


def judge(cases: Cases, probabilities: np.ndarray, threshold: float | None) -> Judgement:
    """Every score of (N, C) probabilities: as it is, for each resample, and with each patient left out."""

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        return score(cases.labels, probabilities, weights, threshold)

    ones = np.ones((1, len(cases.labels)))
    point = measure(ones)
    matrix = confusion(cases.labels, call(probabilities, threshold), ones, probabilities.shape[1])
    return Judgement(
        point={name: float(point[name][0]) for name in HEADLINE},
        resampled=resample(measure, cases.draws, cases.patient),
        jackknifed=jackknife(measure, cases.patient, cases.draws.shape[1]),
        confusion=matrix[0].astype(np.int64),
        per_class={name: values[0] for name, values in per_class(matrix).items()},
    )


def estimates(judgement: Judgement, confidence: float) -> dict[str, dict[str, float]]:
    """Each score with its BCa interval: name -> {value, low, high, left_out}.

    `left_out` counts the resamples in which the score was not defined.
    """
    found = {}
    for name, value in judgement.point.items():
        values = judgement.resampled[name]
        low, high, left_out = interval(
            values, confidence, bend(value, values, judgement.jackknifed[name])
        )
        found[name] = {"value": value, "low": low, "high": high, "left_out": left_out}
    return found


def gain(model: Judgement, reference: Judgement, confidence: float) -> dict[str, float]:
    """AUROC of a model less that of a reference on the same cases and draws: {value, low, high, p, left_out}.

    The interval is BCa, widened as Student's t: differences over a few dozen patients need it, single scores do not.
    """
    value, differences, left = (
        np.round(one["auroc"] - other["auroc"], DECIMALS)
        for one, other in (
            (model.point, reference.point),
            (model.resampled, reference.resampled),
            (model.jackknifed, reference.jackknifed),
        )
    )
    bent = bend(value, differences, left, widen=True)
    low, high, left_out = interval(differences, confidence, bent)
    return {
        "value": float(value),
        "low": low,
        "high": high,
        "p": p_value(differences, bent),
        "left_out": left_out,
    }


def shares_of_classes(judgement: Judgement, classes: list[str]) -> dict[str, dict[str, float]]:
    """The scores of PER_CLASS of each class against the rest: class -> {name: value}."""
    return {
        name: {kind: float(judgement.per_class[kind][code]) for kind in PER_CLASS}
        for code, name in enumerate(classes)
    }
