"""Does transfer help, by the number of labels: AUROC, gain and verdict at each share, and the labels that it saves."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from graft.bootstrap import interval, p_value, resample
from graft.draws import Point
from graft.files import read_json
from graft.judge import Cases
from graft.metrics import clean, verdict
from graft.repeats import area, pairs, spread

SCHEMA = Path(__file__).with_name("learning_curve.schema.json")
REFERENCE = "scratch"
COLUMNS = ("share", "patients", "model", "auroc", "low", "high")


@dataclass(frozen=True)
class Areas:
    """AUROC of one arm at one share: of each draw, and resampled."""

    draws: np.ndarray  # (D,)
    resampled: np.ndarray  # (R,), over test patients and draws together

    def estimate(self, confidence: float) -> dict[str, float]:
        """{value, low, high, left_out, draw_sd}; the value is the mean over the draws."""
        low, high, left_out = interval(self.resampled, confidence)
        value = float(self.draws.mean())
        return {"value": value, "low": low, "high": high, "left_out": left_out, "draw_sd": spread(self.draws)}

    def __sub__(self, other: "Areas") -> "Areas":
        return Areas(self.draws - other.draws, self.resampled - other.resampled)


def judge(cases: Cases, probabilities: Sequence[np.ndarray], picks: np.ndarray) -> Areas:
    """AUROC of D predictions of the same cases; `picks` (R, D) from `pick` weigh them in each resample."""
    ones = np.ones((1, len(cases.labels)))
    point, resampled = [], []
    for said in probabilities:
        point.append(area(*pairs(cases.labels, said, ones))[0])
        measured = resample(
            lambda weights, said=said: {"auroc": area(*pairs(cases.labels, said, weights))}, cases.draws, cases.patient
        )
        resampled.append(measured["auroc"])
    return Areas(np.array(point), (np.stack(resampled, 1) * picks).sum(1))


def pick(draws: int, resamples: int, random: np.random.Generator) -> np.ndarray:
    """The weight of each of D draws of labelled patients in each resample: (R, D), each row sums to 1.

    D − 1 of D draws with replacement: the mean of D would vary too little by the factor (D − 1) / D, which for
    three draws is a third. McCarthy and Snowden (1985), The bootstrap and finite population sampling. One draw
    stays as it is.
    """
    picked = max(1, draws - 1)
    return random.multinomial(picked, np.full(draws, 1 / draws), size=resamples) / picked


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


def labels_saved(patients: np.ndarray, scratch: Areas, transfer: Sequence[Areas], confidence: float) -> dict:
    """How many labelled patients transfer needs for the AUROC that scratch has with all of the largest share.

    The interval is that of the resamples of the curves; None for a number beyond the curve's end.
    """
    value = needed(patients, np.array([[arm.draws.mean()] for arm in transfer]), np.array([scratch.draws.mean()]))[0]
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
        "reached": "never" if np.isinf(value) else "not defined" if np.isnan(value) else _where(value, patients),
        "needed": {name: _finite(number) for name, number in wanted.items()},
        "saved": {name: _finite(of - wanted[names[name]]) for name in wanted},
    }


def assemble(points: Sequence[Point], cases: Cases, confidence: float, random: np.random.Generator) -> dict:
    """The block `learning_curve`, checked. `points` have rising shares, and the same draws in the same order."""
    draws = len(points[0].patients)
    picks = pick(draws, len(cases.draws), random)
    judged = [{arm: judge(cases, said, picks) for arm, said in point.probabilities.items()} for point in points]
    patients = np.array([np.mean(point.patients) for point in points])
    rows = []
    for point, arms, number in zip(points, judged, patients, strict=True):
        gains = {arm: _gain(found - arms[REFERENCE], confidence) for arm, found in arms.items() if arm != REFERENCE}
        rows.append({
            "share": point.share,
            "patients": number,
            "lesions": float(np.mean(point.lesions)),
            "arms": {arm: _arm(found, confidence) for arm, found in arms.items()},
            "gain": gains,
            "verdict": verdict(clean(gains["transfer"])),
        })  # fmt: skip
    saved = labels_saved(patients, judged[-1][REFERENCE], [arms["transfer"] for arms in judged], confidence)
    block = clean({"learning_curve": {"draws": draws, "points": rows, "labels_saved": saved}})
    check(block)
    return block


def check(block: dict) -> None:
    """Compare with learning_curve.schema.json; raises jsonschema.ValidationError, which is a fault in graft."""
    import jsonschema

    jsonschema.Draft202012Validator(read_json(SCHEMA)).validate(block)


def table(block: Mapping) -> pd.DataFrame:
    """COLUMNS, a row for each share and arm."""
    return pd.DataFrame(
        [
            (point["share"], point["patients"], arm, *(found["auroc"][name] for name in ("value", "low", "high")))
            for point in block["learning_curve"]["points"]
            for arm, found in point["arms"].items()
        ],
        columns=list(COLUMNS),
    )


def _gain(difference: Areas, confidence: float) -> dict:
    return {**difference.estimate(confidence), "p": p_value(difference.resampled)}


def _arm(found: Areas, confidence: float) -> dict:
    estimate = found.estimate(confidence)
    return {"draw_sd": estimate.pop("draw_sd"), "auroc": estimate}


def _where(value: float, patients: np.ndarray) -> str:
    return "at the smallest share" if value <= patients[0] else "between shares"


def _finite(value: float) -> float:
    return float(value) if np.isfinite(value) else np.nan


def lines(block: Mapping) -> Iterator[str]:
    """What to say of the block: a line a share, and one of the labels saved."""
    curve = block["learning_curve"]
    for point in curve["points"]:
        arms = ", ".join(f"{arm} {_short(found['auroc'])}" for arm, found in point["arms"].items())
        yield (
            f"{point['share']:.0%} of the labels, {point['patients']:.0f} patients: AUROC {arms}; "
            f"gain {_short(point['gain']['transfer'], '+')}: {point['verdict']}"
        )
    saved = curve["labels_saved"]
    least, low, high = (
        "never" if saved["needed"][name] is None else f"{saved['needed'][name]:.0f}" for name in ("value", "low", "high")
    )
    yield (
        f"What scratch reaches with {saved['of']:.0f} labelled patients, transfer reaches with {least} [{low}, {high}]"
        f" ({saved['reached']})"
    )


def _short(found: Mapping, sign: str = "") -> str:
    if found["low"] is None:
        return "not defined"
    return f"{found['value']:{sign}.3f} [{found['low']:{sign}.3f}, {found['high']:{sign}.3f}]"
