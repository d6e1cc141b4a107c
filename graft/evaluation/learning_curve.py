"""Does transfer help, by the number of labels: AUROC, gain and verdict at each share, and the labels that it saves."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from graft.common.documents import check_schema, clean
from graft.common.vocabulary import REFERENCE
from graft.repeated.learning_curve import Point
from graft.statistics.cases import Cases
from graft.statistics.formatting import format_estimate
from graft.statistics.repeated_auroc import Areas, area, pairs, pick
from graft.statistics.verdict import verdict

SCHEMA = Path(__file__).with_name("learning_curve.schema.json")
COLUMNS = ("share", "patients", "model", "auroc", "low", "high")


def judge(cases: Cases, probabilities: Sequence[np.ndarray], picks: np.ndarray) -> Areas:
    """AUROC of D predictions of the same cases, each (N, C), from D draws of labelled patients; `picks` from `pick`."""

    def measure(weights: np.ndarray) -> np.ndarray:
        return np.stack([area(*pairs(cases.labels, said, weights)) for said in probabilities], 1)

    return Areas.of(measure, cases, picks)


def needed(patients: np.ndarray, areas: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """The least number of patients (R,) at which a curve reaches a goal; infinite where it never does.

    Between two points the curve is a straight line over the logarithm of the patients. One that reaches the goal at
    its first point gives the patients of that point.

    Args:
        patients: (S,), rising.
        areas: (S, R), the AUROC at each.
        goal: (R,); NaN gives NaN.
    """
    found = np.full(goal.shape, np.inf)
    for at in reversed(range(len(patients))):
        reached = areas[at] >= goal
        found[reached] = patients[at]
        if at:
            below = reached & (areas[at - 1] < goal)
            step = (goal - areas[at - 1])[below] / (areas[at] - areas[at - 1])[below]
            found[below] = patients[at - 1] * (patients[at] / patients[at - 1]) ** step
    return np.where(np.isnan(goal), np.nan, found)


def labels_saved(
    patients: np.ndarray, scratch: Areas, transfer: Sequence[Areas], confidence: float
) -> dict:
    """How many labelled patients transfer needs for the AUROC that scratch has with all of the largest share.

    The interval is that of the resamples of the curves; None for a number beyond the curve's end.
    """
    value = needed(
        patients, np.array([[arm.value] for arm in transfer]), np.array([scratch.value])
    )[0]
    resampled = needed(patients, np.stack([arm.resampled for arm in transfer]), scratch.resampled)
    defined, tail = resampled[~np.isnan(resampled)], (1 - confidence) / 2
    low, high = (
        np.quantile(defined, share, method=method) if len(defined) else np.nan
        for share, method in ((tail, "lower"), (1 - tail, "higher"))
    )  # of two neighbours one, as nothing lies between a number and "never"
    wanted, of = {"value": value, "low": low, "high": high}, float(patients[-1])
    names = {"value": "value", "low": "high", "high": "low"}
    return {
        "of": of,
        "reached": _where(value, patients[0]),
        "needed": {name: _finite(number) for name, number in wanted.items()},
        "saved": {name: _finite(of - wanted[names[name]]) for name in wanted},
    }


def assemble(
    points: Sequence[Point], cases: Cases, confidence: float, random: np.random.Generator
) -> dict:
    """The block `learning_curve`, checked. `points` have rising shares, and the same draws in the same order."""
    draws = len(points[0].patients)
    picks = pick(draws, len(cases.draws), random)
    judged = [
        {arm: judge(cases, said, picks) for arm, said in point.probabilities.items()}
        for point in points
    ]
    patients = np.array([np.mean(point.patients) for point in points])
    rows = []
    for point, arms, number in zip(points, judged, patients, strict=True):
        differences = {
            arm: found - arms[REFERENCE] for arm, found in arms.items() if arm != REFERENCE
        }
        gains = {
            arm: {**found.gain(confidence), "draw_sd": found.spread}
            for arm, found in differences.items()
        }
        rows.append(
            {
                "share": point.share,
                "patients": number,
                "lesions": float(np.mean(point.lesions)),
                "arms": {
                    arm: {"auroc": found.estimate(confidence), "draw_sd": found.spread}
                    for arm, found in arms.items()
                },
                "gain": gains,
                "verdict": verdict(clean(gains["transfer"])),
            }
        )
    transfer = [arms["transfer"] for arms in judged]
    saved = (
        labels_saved(patients, judged[-1][REFERENCE], transfer, confidence)
        if len(points) > 1
        else None
    )
    block = clean({"learning_curve": {"draws": draws, "points": rows, "labels_saved": saved}})
    check_schema(block, SCHEMA)
    return block


def table(block: Mapping) -> pd.DataFrame:
    """COLUMNS, a row for each share and arm."""
    return pd.DataFrame(
        [
            (
                point["share"],
                point["patients"],
                arm,
                *(found["auroc"][name] for name in ("value", "low", "high")),
            )
            for point in block["learning_curve"]["points"]
            for arm, found in point["arms"].items()
        ],
        columns=list(COLUMNS),
    )


def lines(block: Mapping) -> Iterator[str]:
    """What to say of the block: a line a share, and one of the labels saved where there are several."""
    curve = block["learning_curve"]
    for point in curve["points"]:
        arms = ", ".join(f"{arm} {format_estimate(found['auroc'])}" for arm, found in point["arms"].items())
        yield (
            f"{point['share']:.0%} of the labels, {point['patients']:.0f} patients: AUROC {arms}; "
            f"gain {format_estimate(point['gain']['transfer'], '+')}: {point['verdict']}"
        )
    saved, goal = (
        curve["labels_saved"],
        "What scratch reaches with {of:.0f} labelled patients, transfer",
    )
    if saved is None:
        return
    if saved["reached"] == "never":
        yield f"{goal.format(**saved)} never does"
    elif saved["reached"] != "not defined":
        low, high = (saved["needed"][name] for name in ("low", "high"))
        found = f"[{low:.0f}, {'beyond the curve' if high is None else f'{high:.0f}'}]"
        fewer = " or fewer" if saved["reached"] == "at the smallest share" else ""
        yield f"{goal.format(**saved)} reaches with {saved['needed']['value']:.0f}{fewer} {found}"


def _where(value: float, smallest: float) -> str:
    if not np.isfinite(value):
        return "never" if np.isinf(value) else "not defined"
    return "at the smallest share" if value <= smallest else "between shares"


def _finite(value: float) -> float:
    return float(value) if np.isfinite(value) else np.nan
