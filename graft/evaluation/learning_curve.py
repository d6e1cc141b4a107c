"""Whether transfer helps, by the number of labels: AUROC, gain and verdict at each share."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from graft.common.documents import check_schema, clean
from graft.common.files import InputError
from graft.common.vocabulary import REFERENCE
from graft.data.predictions import probability_columns, read_predictions
from graft.statistics.cases import Cases
from graft.statistics.formatting import format_estimate
from graft.statistics.repeated_auroc import (
    RepeatedAuroc,
    auroc_from_pairs,
    count_ranked_pairs,
    draw_repetitions,
)
from graft.statistics.verdict import verdict

SCHEMA = Path(__file__).with_name("learning_curve.schema.json")
READ = ("share", "draw", "patients", "lesions", "arm", "sample")
COLUMNS = ("share", "patients", "model", "auroc", "low", "high")  # of the table for plots


@dataclass(frozen=True)
class Point:
    """The trainings with one share of the labels: D draws of the labelled patients."""

    share: float
    patients: Sequence[int]  # of each draw
    lesions: Sequence[int]
    probabilities: Mapping[str, Sequence[np.ndarray]]  # arm -> D times (N, C), of the test part


def read_points(path: Path, classes: Sequence[str], samples: Sequence[int]) -> list[Point]:
    """Read what the repeated trainings predicted, smallest share first; no points if none ran.

    Raises InputError if the file cannot be read, or if a training did not predict `samples`.
    """
    table = read_predictions(path, READ, classes, text=("arm",))
    points = []
    for share, rows in table.groupby("share", sort=True):
        draws = rows.drop_duplicates("draw").sort_values("draw")
        arms: dict[str, list[np.ndarray]] = {}
        for (arm, draw), predicted in rows.groupby(["arm", "draw"], sort=False):
            if tuple(predicted["sample"]) != tuple(samples):
                raise InputError(
                    f"{path}: {arm}, share {share:g}, draw {draw} has other samples than the test "
                    "part, expected its lesions in their order"
                )
            arms.setdefault(arm, []).append(predicted[probability_columns(classes)].to_numpy())
        points.append(Point(share, list(draws["patients"]), list(draws["lesions"]), arms))
    return points


def judge_points(
    points: Sequence[Point], cases: Cases, confidence: float, random: np.random.Generator
) -> dict:
    """The block `learning_curve` of metrics.json, checked; its value is None without points.

    Args:
        points: with rising shares, and the same draws in the same order.
        cases: the test part.
        confidence: of the intervals.
        random: draws the repetitions of each resample.
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
        transfer = [arms["transfer"] for arms in areas]
        saved = labels_saved(patients, areas[-1][REFERENCE], transfer, confidence)
    block = {"draws": draws, "points": rows, "labels_saved": saved}
    document = clean({"learning_curve": block})
    check_schema(document, SCHEMA)
    return document


def repeated_areas(
    cases: Cases, probabilities: Sequence[np.ndarray], picks: np.ndarray
) -> RepeatedAuroc:
    """AUROC of D predictions of the same cases, each (N, C), from D draws of labelled patients.

    `picks` come from `graft.statistics.repeated_auroc.draw_repetitions`.
    """

    def measure(weights: np.ndarray) -> np.ndarray:
        columns = [
            auroc_from_pairs(*count_ranked_pairs(cases.labels, each, weights))
            for each in probabilities
        ]
        return np.stack(columns, 1)  # (r, D)

    return RepeatedAuroc.of(measure, cases, picks)


def patients_needed(patients: np.ndarray, areas: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """The smallest number of patients (R,) at which a curve reaches a goal; infinite if never.

    Between two points the curve is a straight line over the logarithm of the patients. A curve
    that reaches the goal at its first point gives the patients of that point.

    Args:
        patients: (S,), rising.
        areas: (S, R), the AUROC at each.
        goal: (R,); NaN gives NaN.
    """
    needed = np.full(goal.shape, np.inf)
    for at in reversed(range(len(patients))):
        reached = areas[at] >= goal
        needed[reached] = patients[at]
        if at == 0:
            continue
        between = reached & (areas[at - 1] < goal)
        step = (goal - areas[at - 1])[between] / (areas[at] - areas[at - 1])[between]
        needed[between] = patients[at - 1] * (patients[at] / patients[at - 1]) ** step
    return np.where(np.isnan(goal), np.nan, needed)


def labels_saved(
    patients: np.ndarray,
    scratch: RepeatedAuroc,
    transfer: Sequence[RepeatedAuroc],
    confidence: float,
) -> dict:
    """How many labelled patients transfer needs for the AUROC of scratch with the largest share.

    The interval is that of the resampled curves. A number beyond the end of the curve is NaN.
    """
    values = np.array([[arm.value] for arm in transfer])
    value = float(patients_needed(patients, values, np.array([scratch.value]))[0])
    curves = np.stack([arm.resampled for arm in transfer])  # (S, R)
    resampled = patients_needed(patients, curves, scratch.resampled)
    low, high = _interval(resampled[~np.isnan(resampled)], confidence)
    of = float(patients[-1])
    return {
        "of": of,
        "reached": _where_reached(value, patients[0]),
        "needed": {"value": _finite(value), "low": _finite(low), "high": _finite(high)},
        "saved": {
            "value": _finite(of - value),
            "low": _finite(of - high),
            "high": _finite(of - low),
        },
    }


def curve_table(block: Mapping) -> pd.DataFrame:
    """COLUMNS, a row for each share and arm; no rows without a learning curve."""
    rows = []
    for point in block["learning_curve"]["points"] if block["learning_curve"] else []:
        for arm, found in point["arms"].items():
            estimate = found["auroc"]
            values = (estimate["value"], estimate["low"], estimate["high"])
            rows.append((point["share"], point["patients"], arm, *values))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def curve_lines(block: Mapping) -> Iterator[str]:
    """What a person reads: a line per share, and one about saved labels if there are several."""
    curve = block["learning_curve"]
    if curve is None:
        return
    for point in curve["points"]:
        arms = []
        for arm, found in point["arms"].items():
            arms.append(f"{arm} {format_estimate(found['auroc'])}")
        yield (
            f"{point['share']:.0%} of the labels, {point['patients']:.0f} patients: AUROC "
            f"{', '.join(arms)}; gain {format_estimate(point['gain']['transfer'], '+')}: "
            f"{point['verdict']}"
        )
    if curve["labels_saved"]:
        yield from _saved_lines(curve["labels_saved"])


def _saved_lines(saved: Mapping) -> Iterator[str]:
    if saved["reached"] == "not defined":
        return
    goal = f"The AUROC of scratch with {saved['of']:.0f} labelled patients"
    if saved["reached"] == "never":
        yield f"{goal} is not reached by transfer"
        return
    needed = saved["needed"]
    high = "beyond the curve" if needed["high"] is None else f"{needed['high']:.0f}"
    fewer = " or fewer" if saved["reached"] == "at the smallest share" else ""
    yield (
        f"{goal} is reached by transfer with {needed['value']:.0f}{fewer} "
        f"[{needed['low']:.0f}, {high}]"
    )


def _areas_of_arms(point: Point, cases: Cases, picks: np.ndarray) -> dict[str, RepeatedAuroc]:
    return {
        arm: repeated_areas(cases, probabilities, picks)
        for arm, probabilities in point.probabilities.items()
    }


def _row(
    point: Point, arms: Mapping[str, RepeatedAuroc], patients: float, confidence: float
) -> dict:
    estimates, gains = {}, {}
    for arm, areas in arms.items():
        estimates[arm] = {"auroc": areas.estimate(confidence), "draw_sd": areas.spread}
        if arm != REFERENCE:
            difference = areas - arms[REFERENCE]
            gains[arm] = {**difference.gain(confidence), "draw_sd": difference.spread}
    return {
        "share": point.share,
        "patients": patients,
        "lesions": float(np.mean(point.lesions)),
        "arms": estimates,
        "gain": gains,
        "verdict": verdict(clean(gains["transfer"])),
    }


def _interval(values: np.ndarray, confidence: float) -> tuple[float, float]:
    """Of two neighbouring values one is taken: nothing lies between a number and "never"."""
    if not len(values):
        return np.nan, np.nan
    tail = (1 - confidence) / 2
    low = np.quantile(values, tail, method="lower")
    high = np.quantile(values, 1 - tail, method="higher")
    return float(low), float(high)


def _where_reached(value: float, smallest: float) -> str:
    if np.isnan(value):
        return "not defined"
    if np.isinf(value):
        return "never"
    return "at the smallest share" if value <= smallest else "between shares"


def _finite(value: float) -> float:
    return float(value) if np.isfinite(value) else np.nan
