"""The block `learning_curve` of metrics.json: AUROC, gain and verdict at each share of labels."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from graft.common.documents import check_schema, clean
from graft.common.shown import counted
from graft.common.vocabulary import REFERENCE
from graft.repeated_evaluation.curve_points import Point
from graft.repeated_evaluation.labels_saved import labels_saved, saved_lines
from graft.statistics.cases import Cases
from graft.statistics.formatting import format_estimate
from graft.statistics.repeated_auroc import (
    RepeatedAuroc,
    auroc_from_pairs,
    count_ranked_pairs,
    draw_repetitions,
)
from graft.statistics.verdict import number_of_labels, verdict

SCHEMA = Path(__file__).with_name("learning_curve.schema.json")
COLUMNS = ("share", "patients", "model", "auroc", "low", "high")  # of the table for plots


def judge_points(
    points: Sequence[Point],
    cases: Cases,
    confidence: float,
    random: np.random.Generator,
    strategy: str,
) -> dict:
    """Judge each arm against scratch at each share of the labels.

    Args:
        points: with rising shares, and the same draws in the same order.
        cases: the test part.
        confidence: of the intervals.
        random: draws the repetitions of each resample.
        strategy: the arm that is trained as the model `transfer`, and that saves labels.

    Returns:
        {"learning_curve": block} as in metrics.json. The block is None without points.
    """
    if not points:
        return {"learning_curve": None}
    draws = len(points[0].patients)
    picks = draw_repetitions(draws, len(cases.draws), random)
    areas = [_areas_of_arms(point, cases, picks) for point in points]
    patients = np.array([np.mean(point.patients) for point in points])
    rows = []
    for point, arms, number in zip(points, areas, patients, strict=True):
        rows.append(_row(point, arms, number, confidence))
    saved = None
    if len(points) > 1:
        transfer = [arms[strategy] for arms in areas]
        saved = labels_saved(patients, areas[-1][REFERENCE], transfer, confidence)
    block = {"strategy": strategy, "draws": draws, "points": rows, "labels_saved": saved}
    document = clean({"learning_curve": block})
    check_schema(document, SCHEMA)
    return document


def repeated_areas(
    cases: Cases, probabilities: Sequence[np.ndarray], picks: np.ndarray
) -> RepeatedAuroc:
    """Compute AUROC of D predictions of the same cases, from D draws of labelled patients.

    Args:
        cases: the N cases.
        probabilities: D arrays (N, C).
        picks: from `graft.statistics.repeated_auroc.draw_repetitions`.
    """

    def measure(weights: np.ndarray) -> np.ndarray:
        columns = []
        for predicted in probabilities:
            won, number = count_ranked_pairs(cases.labels, predicted, weights)
            columns.append(auroc_from_pairs(won, number))
        return np.stack(columns, 1)  # (r, D)

    return RepeatedAuroc.of(measure, cases, picks)


def curve_table(block: Mapping) -> pd.DataFrame:
    """Make a table for plots: COLUMNS, a row for each share and arm; no rows without a curve."""
    rows = []
    curve = block["learning_curve"]
    points = curve["points"] if curve else []
    for point in points:
        for arm, found in point["arms"].items():
            estimate = found["auroc"]
            values = (estimate["value"], estimate["low"], estimate["high"])
            rows.append((point["share"], number_of_labels(point), arm, *values))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def curve_lines(block: Mapping, unit: str = "patient") -> Iterator[str]:
    """Yield the printed lines: one per share, and one about saved labels if there are several.

    Args:
        block: metrics.json, or its learning curve alone.
        unit: "patient", or "lesion" if patients are unknown.
    """
    curve = block["learning_curve"]
    if curve is None:
        return
    for point in curve["points"]:
        arms = []
        for arm, found in point["arms"].items():
            arms.append(f"{arm} {format_estimate(found['auroc'])}")
        gains = []
        for arm, gain in point["gain"].items():
            gains.append(f"gain of {arm} {format_estimate(gain, '+')}, {gain['verdict']}")
        labelled = counted(round(number_of_labels(point)), unit)
        yield (
            f"{point['share']:.0%} of the labels, {labelled}: AUROC "
            f"{', '.join(arms)}; {'; '.join(gains)}"
        )
    if curve["labels_saved"]:
        yield from saved_lines(curve["labels_saved"], unit)


def _areas_of_arms(point: Point, cases: Cases, picks: np.ndarray) -> dict[str, RepeatedAuroc]:
    areas = {}
    for arm, probabilities in point.probabilities.items():
        areas[arm] = repeated_areas(cases, probabilities, picks)
    return areas


def _row(
    point: Point, arms: Mapping[str, RepeatedAuroc], patients: float, confidence: float
) -> dict:
    estimates = {}
    gains = {}
    for arm, areas in arms.items():
        estimates[arm] = {"auroc": areas.estimate(confidence), "draw_sd": areas.spread}
        if arm != REFERENCE:
            difference = areas - arms[REFERENCE]
            gain = difference.gain(confidence)
            gains[arm] = {**gain, "draw_sd": difference.spread, "verdict": verdict(clean(gain))}
    return {
        "share": point.share,
        "patients": patients,
        "lesions": float(np.mean(point.lesions)),
        "arms": estimates,
        "gain": gains,
    }
