"""Several models against one reference: the gain of each, tested three ways, and what the part can tell at all."""

import math
from collections.abc import Mapping

import numpy as np
from scipy.special import ndtri

from graft.statistics.cases import Assessment, Cases, gain
from graft.statistics.delong import delong

POWER = 0.8  # chance that a gain of the size that was seen is shown
MOST_PATIENTS = 100_000  # that could ever be gathered: a gain that needs more is as good as none


def compare(
    cases: Mapping[str, Cases],
    models: Mapping[str, Assessment],
    reference: str,
    parts: tuple[str, ...],
    confidence: float,
    margin: float,
) -> dict[str, dict[str, dict | None]]:
    """Model -> part -> what it gained over the model named `reference`, or None where the part is not there.

    A gain as in `graft.statistics.cases.gain`, with `p_holm` corrected for all the models that are compared on the part, `delong`
    (low, high, p), `non_inferior` (whether the interval's low end is above -margin) and `patients_needed`.
    """
    others = [name for name in models if name != reference]
    found = {name: dict.fromkeys(parts) for name in others}
    for part in (part for part in parts if part in cases):
        gains = {
            name: gain(models[name].parts[part], models[reference].parts[part], confidence)
            for name in others
        }
        corrected = holm([gains[name]["p"] for name in others])
        for name, p_holm in zip(others, corrected, strict=True):
            probabilities = models[name].probabilities[part], models[reference].probabilities[part]
            found[name][part] = {
                **gains[name],
                "p_holm": p_holm,
                "delong": _delong(cases[part], *probabilities, confidence),
                "non_inferior": None
                if np.isnan(gains[name]["low"])
                else gains[name]["low"] > -margin,
                "patients_needed": patients_needed(
                    gains[name], cases[part].patient.max() + 1, confidence
                ),
            }
    return found


def holm(p_values: list[float]) -> list[float]:
    """P-values corrected for their number, so that any wrong rejection among them has the chance of one.

    The i-th smallest of m, times m + 1 - i, but no less than the corrected one before it, and at most 1. NaN stays and
    does not count. Holm (1979), A simple sequentially rejective multiple test procedure, Scandinavian Journal of
    Statistics 6.
    """
    p = np.array(p_values, dtype=float)
    order = np.argsort(p, kind="stable")  # NaN last
    count = int((~np.isnan(p)).sum())
    factors = np.maximum(count - np.arange(len(p)), 1)
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1)
    return corrected.tolist()


def patients_needed(found: Mapping[str, float], patients: int, confidence: float) -> int | None:
    """Patients for a gain of the size that was seen to be told from 0 with the chance POWER.

    The standard error is half the interval's width over z(confidence) and falls with the square root of the patients,
    so  patients · ((z(confidence) + z(POWER)) · error / gain)², rounded up. None where the interval leaves out 0 or is
    not defined, and where the number is above MOST_PATIENTS.

    Args:
        found: value, low and high of a gain.
        patients: of the part that it was found on.
    """
    value, low, high = (found[name] for name in ("value", "low", "high"))
    if not low <= 0 <= high:  # NaN too
        return None
    z = ndtri((1 + confidence) / 2)
    ratio = (1 + ndtri(POWER) / z) * (high - low) / 2
    if abs(value) * math.sqrt(MOST_PATIENTS / patients) <= ratio:
        return None
    return math.ceil(patients * (ratio / value) ** 2)


def _delong(
    cases: Cases, probabilities: np.ndarray, others: np.ndarray, confidence: float
) -> dict[str, float]:
    """DeLong's test of two classes, NaN with more: it knows one AUROC, not a mean over classes."""
    if probabilities.shape[1] > 2:
        return dict.fromkeys(("low", "high", "p"), np.nan)
    return delong(cases.labels == 1, probabilities[:, 1], others[:, 1], cases.patient, confidence)
