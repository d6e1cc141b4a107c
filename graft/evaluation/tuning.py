"""Calibration and operating points: fitted on the validation part, scored on the test parts."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from graft.evaluation.parts import by_test_part
from graft.evaluation.settings import Evaluate
from graft.statistics.calibrate import Isotonic, Temperature, fit_isotonic, fit_temperature
from graft.statistics.cases import Assessment, Cases, ResampledScores, estimates, score_cases
from graft.statistics.operating_points import OperatingPoint, choose_points, rates
from graft.statistics.scores import CALIBRATION, PROBABILITY_DECIMALS, calibration_scores


@dataclass(frozen=True)
class Tuned:
    """Two calibrators and the operating points `sensitivity` and `specificity`.

    `points` is None with more than two classes.
    """

    temperature: Temperature
    isotonic: Isotonic
    points: dict[str, OperatingPoint | None] | None

    @property
    def fitted_on(self) -> dict[str, tuple[int, ...]]:
        """The sample numbers that each of them was fitted on."""
        samples = {
            "temperature": self.temperature.fitted_on,
            "isotonic": self.isotonic.fitted_on,
        }
        for name, point in (self.points or {}).items():
            if point:
                samples[name] = point.fitted_on
        return samples

    def calibrated(self, probabilities: np.ndarray) -> dict[str, np.ndarray]:
        """Return (N, C) by each calibrator: `temperature` and `isotonic`."""
        return {
            "temperature": self.temperature.apply(probabilities).round(PROBABILITY_DECIMALS),
            "isotonic": self.isotonic.apply(probabilities).round(PROBABILITY_DECIMALS),
        }


def tune(model: Assessment, cases: Mapping[str, Cases], settings: Evaluate) -> Tuned:
    """Fit calibrators and operating points on the part "validation" of `cases`, and on no other."""
    labels = cases["validation"].labels
    samples = cases["validation"].samples
    probabilities = model.probabilities["validation"]
    temperature = fit_temperature(labels, probabilities, samples)
    isotonic = fit_isotonic(labels, probabilities, samples)
    if probabilities.shape[1] > 2:
        return Tuned(temperature, isotonic, None)
    points = choose_points(
        labels,
        probabilities[:, 1],
        samples,
        settings.sensitivity,
        settings.specificity,
    )
    return Tuned(temperature, isotonic, points)


def calibration_entry(
    tuned: Tuned,
    model: Assessment,
    cases: Mapping[str, Cases],
    confidence: float,
) -> dict:
    """Return the temperature, and on each of TESTS the scores before and after calibration."""

    def entry(part: str) -> dict:
        before = estimates(model.parts[part], confidence)
        scores = {"before": {name: before[name] for name in CALIBRATION}}
        for name, probabilities in tuned.calibrated(model.probabilities[part]).items():
            after = _score_calibration(cases[part], probabilities)
            scores[name] = estimates(after, confidence)
        return scores

    return {"temperature": tuned.temperature.value, "parts": by_test_part(cases, entry)}


def operating_points_entry(
    tuned: Tuned,
    model: Assessment,
    cases: Mapping[str, Cases],
    confidence: float,
) -> dict | None:
    """Return each operating point with its rates on validation (values) and on TESTS (intervals).

    It is None with more than two classes. A point that does not exist is None.
    """
    if tuned.points is None:
        return None
    entries = {}
    for name, point in tuned.points.items():
        entries[name] = point and _point_entry(point, model, cases, confidence)
    return entries


def _point_entry(
    point: OperatingPoint,
    model: Assessment,
    cases: Mapping[str, Cases],
    confidence: float,
) -> dict:
    def entry(part: str) -> dict:
        return estimates(_score_point(point, model, cases, part), confidence)

    validation = _score_point(point, model, cases, "validation").point
    return {
        "wanted": point.wanted,
        "threshold": point.threshold,
        "validation": {name: validation[name] for name in ("sensitivity", "specificity")},
        **by_test_part(cases, entry),
    }


def _score_point(
    point: OperatingPoint,
    model: Assessment,
    cases: Mapping[str, Cases],
    part: str,
) -> ResampledScores:
    labels = cases[part].labels
    probabilities = model.probabilities[part]

    def scores(weights: np.ndarray) -> dict[str, np.ndarray]:
        return rates(labels, probabilities, weights, point.threshold)

    return score_cases(cases[part], scores)


def _score_calibration(cases: Cases, probabilities: np.ndarray) -> ResampledScores:
    def scores(weights: np.ndarray) -> dict[str, np.ndarray]:
        return calibration_scores(cases.labels, probabilities, weights)

    return score_cases(cases, scores)
