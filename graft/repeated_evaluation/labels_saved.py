"""How many labels transfer saves: where two learning curves reach the same AUROC."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from graft.common.shown import counted
from graft.statistics.repeated_auroc import RepeatedAuroc


def patients_needed(patients: np.ndarray, areas: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """Find the smallest number of patients at which each of R curves reaches its goal.

    Between two points a curve is a straight line over the logarithm of the patients. A curve that
    reaches the goal at its first point gives the patients of that point.

    Args:
        patients: (S,), rising.
        areas: (S, R), the AUROC of the curves at each number of patients.
        goal: (R,), an AUROC.

    Returns:
        (R,). It is infinite if the curve never reaches the goal, and NaN if the goal is NaN.
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

    Args:
        patients: (S,), rising.
        scratch: its AUROC with the largest share.
        transfer: its AUROC at each of S shares.
        confidence: of the interval.

    Returns:
        The block `labels_saved` of metrics.json. `of` is the number of patients of scratch.
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


def saved_lines(saved: Mapping, unit: str) -> Iterator[str]:
    """Yield the printed line about saved labels, or none if nothing is defined."""
    if saved["reached"] == "not defined":
        return
    goal = f"The AUROC of scratch with {counted(round(saved['of']), f'labelled {unit}')}"
    if saved["reached"] == "never":
        yield f"{goal} is not reached by transfer"
        return
    needed = saved["needed"]
    low, high = _patients(needed["low"]), _patients(needed["high"])
    fewer = " or fewer" if saved["reached"] == "at the smallest share" else ""
    yield (f"{goal} is reached by transfer with {needed['value']:.0f}{fewer} [{low}, {high}]")


def _patients(number: float | None) -> str:
    return "beyond the curve" if number is None else f"{number:.0f}"


def _interval(values: np.ndarray, confidence: float) -> tuple[float, float]:
    """The interval of R values, some of which are infinite; NaN without values.

    A quantile between two values is one of them, because an interpolation between a number and
    infinity would have no meaning.
    """
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
