"""Intervals of scores and gains, each computed in several ways."""

from collections.abc import Iterator

import numpy as np
from scipy.special import ndtri

from graft.statistics.bootstrap import interval
from graft.statistics.cases import Assessment, Cases, ResampledScores
from graft.statistics.correction import PERCENTILE, bca_correction
from graft.statistics.delong import placements, standard_error
from graft.statistics.scores import WITHOUT_INTERVAL

Ends = tuple[float, float]  # the low and the high end of an interval


def resampled_intervals(
    value: float, resampled: np.ndarray, jackknifed: np.ndarray, confidence: float
) -> dict[str, Ends]:
    """Return the intervals of a score, or of a difference of two, by how they were computed."""
    corrections = {
        "percentile": PERCENTILE,
        "BCa": bca_correction(value, resampled, jackknifed),
        "BCa, widened": bca_correction(value, resampled, jackknifed, widen=True),
    }
    found = {}
    for way, correction in corrections.items():
        low, high, _ = interval(resampled, confidence, correction)
        found[way] = (low, high)
    return found


def score_intervals(
    cases: Cases, model: Assessment, confidence: float
) -> Iterator[tuple[str, str, float, float]]:
    """Yield name, way, low and high for every score with an interval, on the test part."""
    scores = model.parts["test"]
    for name, value in scores.point.items():
        if name in WITHOUT_INTERVAL:
            continue
        intervals = resampled_intervals(
            value, scores.resampled[name], scores.jackknifed[name], confidence
        )
        for way, (low, high) in intervals.items():
            yield name, way, low, high
    positive = cases.labels == 1
    placed = placements(positive, model.probabilities["test"][:, 1])
    error = standard_error(positive, placed, cases.patient)
    half = ndtri((1 + confidence) / 2) * error
    auroc = scores.point["auroc"]
    yield "auroc", "DeLong", auroc - half, auroc + half


def gain_intervals(
    gain: dict, model: ResampledScores, reference: ResampledScores, confidence: float
) -> dict[str, Ends]:
    """Return the intervals of a gain in AUROC by how they were computed.

    Args:
        gain: the gain as in metrics.json.
        model: the scores of the model.
        reference: the scores of the reference.
        confidence: the share of intervals that should contain the truth.
    """
    found = resampled_intervals(
        model.point["auroc"] - reference.point["auroc"],
        model.resampled["auroc"] - reference.resampled["auroc"],
        model.jackknifed["auroc"] - reference.jackknifed["auroc"],
        confidence,
    )
    found["BCa, widened"] = (gain["low"], gain["high"])
    found["DeLong"] = (gain["delong"]["low"], gain["delong"]["high"])
    return found
