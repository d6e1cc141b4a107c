"""Gains of several models over one reference, tested three ways, and the patients needed."""

from collections.abc import Mapping

import numpy as np

from graft.statistics.cases import Assessment, Cases, gain
from graft.statistics.delong import delong
from graft.statistics.power import patients_needed


def compare(
    cases: Mapping[str, Cases],
    models: Mapping[str, Assessment],
    reference: str,
    parts: tuple[str, ...],
    confidence: float,
    margin: float,
) -> dict[str, dict[str, dict | None]]:
    """Compute the gain of each model over the model named `reference` on each part.

    Args:
        cases: part -> its cases. A part that is missing has the gain None.
        models: the reference and the models to compare with it.
        reference: its name.
        parts: of the result.
        confidence: of the intervals.
        margin: by which a model may fall short without being inferior.

    Returns:
        Model -> part -> a gain as in `graft.statistics.cases.gain`, with four more keys: `p_holm`,
        corrected for all models that are compared on the part; `delong` (low, high, p);
        `non_inferior`, whether the interval's low end is above -margin; `patients_needed`.
    """
    others = [name for name in models if name != reference]
    found: dict[str, dict[str, dict | None]] = {}
    for name in others:
        found[name] = dict.fromkeys(parts)
    for part in parts:
        if part not in cases:
            continue
        patients = cases[part].patient.max() + 1
        reference_scores = models[reference].parts[part]
        reference_probabilities = models[reference].probabilities[part]
        gains = {}
        for name in others:
            scores = models[name].parts[part]
            gains[name] = gain(scores, reference_scores, confidence)
        p_values = [gains[name]["p"] for name in others]
        corrected = holm(p_values)
        for name, p_holm in zip(others, corrected, strict=True):
            by_delong = _delong(
                cases[part],
                models[name].probabilities[part],
                reference_probabilities,
                confidence,
            )
            found[name][part] = {
                **gains[name],
                "p_holm": p_holm,
                "delong": by_delong,
                "non_inferior": _is_non_inferior(gains[name]["low"], margin),
                "patients_needed": patients_needed(gains[name], patients, confidence),
            }
    return found


def holm(p_values: list[float]) -> list[float]:
    """Correct p-values for their number, which bounds the probability of any false rejection.

    The i-th smallest of m is multiplied by m + 1 - i. It is at least the corrected one before it,
    and at most 1. NaN stays and does not count. Holm (1979), A simple sequentially rejective
    multiple test procedure, Scandinavian Journal of Statistics 6.
    """
    p = np.array(p_values, dtype=float)
    order = np.argsort(p, kind="stable")  # NaN last
    count = int((~np.isnan(p)).sum())
    position = np.arange(len(p))
    factors = np.maximum(count - position, 1)
    multiplied = p[order] * factors
    rising = np.maximum.accumulate(multiplied)
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(rising, 1)
    return corrected.tolist()


def _is_non_inferior(low: float, margin: float) -> bool | None:
    """Return whether the low end of a gain is above -margin; None if it is not defined."""
    if np.isnan(low):
        return None
    return low > -margin


def _delong(
    cases: Cases,
    probabilities: np.ndarray,
    others: np.ndarray,
    confidence: float,
) -> dict[str, float]:
    """Apply DeLong's test to two classes; NaN with more, as it tests one AUROC and not a mean."""
    if probabilities.shape[1] > 2:
        return dict.fromkeys(("low", "high", "p"), np.nan)
    return delong(
        positive=cases.labels == 1,
        values=probabilities[:, 1],
        others=others[:, 1],
        patient=cases.patient,
        confidence=confidence,
    )
