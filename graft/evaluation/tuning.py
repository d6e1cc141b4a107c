"""What is tuned on the validation part once a model is learnt, calibration and operating points, and what it gives."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from graft.common.vocabulary import TESTS
from graft.evaluation.settings import Evaluate
from graft.statistics.calibrate import Isotonic, Temperature, fit_isotonic, fit_temperature
from graft.statistics.cases import Assessment, Cases, estimates, score_cases
from graft.statistics.operating_points import OperatingPoint, choose_points, rates
from graft.statistics.scores import CALIBRATION, PROBABILITY_DECIMALS, calibration_scores


@dataclass(frozen=True)
class Tuned:
    """The calibrators `temperature` and `isotonic`, and the operating points `sensitivity` and `specificity`.

    `points` is None with more than two classes.
    """

    calibrators: dict[str, Temperature | Isotonic]
    points: dict[str, OperatingPoint | None] | None

    @property
    def fitted_on(self) -> dict[str, tuple[int, ...]]:
        """The sample numbers that each of them was fitted on."""
        found = {**self.calibrators, **(self.points or {})}
        return {name: tuned.fitted_on for name, tuned in found.items() if tuned}

    def calibrated(self, probabilities: np.ndarray) -> dict[str, np.ndarray]:
        """(N, C) as they are (`none`) and after each calibrator."""
        after = {
            name: map_.apply(probabilities).round(PROBABILITY_DECIMALS)
            for name, map_ in self.calibrators.items()
        }
        return {"none": probabilities, **after}


def tune(model: Assessment, cases: Mapping[str, Cases], settings: Evaluate) -> Tuned:
    """Fit on the part "validation" of `cases`, and on no other."""
    validation = cases["validation"]
    labels, probabilities, samples = (
        validation.labels,
        model.probabilities["validation"],
        validation.samples,
    )
    calibrators = {
        "temperature": fit_temperature(labels, probabilities, samples),
        "isotonic": fit_isotonic(labels, probabilities, samples),
    }
    if probabilities.shape[1] > 2:
        return Tuned(calibrators, None)
    points = choose_points(
        labels, probabilities[:, 1], samples, settings.sensitivity, settings.specificity
    )
    return Tuned(calibrators, points)


def describe_calibration(
    tuned: Tuned, model: Assessment, cases: Mapping[str, Cases], confidence: float
) -> dict:
    """The temperature, and log loss, Brier score and calibration error before and after on each of TESTS, or None."""
    parts = {
        part: _calibration(tuned, model, cases, part, confidence) if part in cases else None
        for part in TESTS
    }
    return {"temperature": tuned.calibrators["temperature"].value, "parts": parts}


def describe_points(
    tuned: Tuned, model: Assessment, cases: Mapping[str, Cases], confidence: float
) -> dict | None:
    """Each operating point, and what it gives on validation (values) and on each of TESTS (intervals), or None."""
    if tuned.points is None:
        return None
    return {
        name: point and _point(point, model, cases, confidence)
        for name, point in tuned.points.items()
    }


def _calibration(
    tuned: Tuned, model: Assessment, cases: Mapping[str, Cases], part: str, confidence: float
) -> dict:
    before = estimates(model.parts[part], confidence)
    described = {"before": {name: before[name] for name in CALIBRATION}}
    for name, probabilities in tuned.calibrated(model.probabilities[part]).items():
        if name != "none":
            labels = cases[part].labels
            after = score_cases(
                cases[part], lambda weights: calibration_scores(labels, probabilities, weights)
            )
            described[name] = estimates(after, confidence)
    return described


def _point(
    point: OperatingPoint, model: Assessment, cases: Mapping[str, Cases], confidence: float
) -> dict:
    def told(part: str) -> dict | None:
        if part not in cases:
            return None
        labels, probabilities = cases[part].labels, model.probabilities[part]
        found = score_cases(
            cases[part], lambda weights: rates(labels, probabilities, weights, point.threshold)
        )
        return found.point if part == "validation" else estimates(found, confidence)

    validation = told("validation")
    return {
        "wanted": point.wanted,
        "threshold": point.threshold,
        "validation": {name: validation[name] for name in ("sensitivity", "specificity")},
        **{part: told(part) for part in TESTS},
    }
