"""Intervals and p-values by drawing patients, each with all their lesions, again and again."""

from collections.abc import Callable

import numpy as np

BLOCK = 2**21  # numbers of a weight matrix held at once: 16 MiB


def draw(patients: int, resamples: int, generator: np.random.Generator) -> np.ndarray:
    """How often each patient is drawn in each resample: (R, P), each row sums to P.

    P draws with replacement, each patient as likely as the next: a row is multinomial.
    Efron and Tibshirani (1993), An Introduction to the Bootstrap.
    """
    return generator.multinomial(patients, np.full(patients, 1 / patients), size=resamples).astype(np.uint16)


def resample(measure: Callable[[np.ndarray], dict], draws: np.ndarray, patient: np.ndarray) -> dict[str, np.ndarray]:
    """What `measure` gives for each resample: name -> (R,).

    Args:
        measure: takes weights (r, N), gives name -> (r,).
        draws: (R, P) from `draw`; R may be 0.
        patient: (N,) the column of `draws` that each case belongs to.
    """
    rows = max(1, BLOCK // max(1, len(patient)))
    starts = range(0, max(1, len(draws)), rows)  # a block even of no resamples, for its names
    blocks = [measure(draws[start : start + rows, patient].astype(np.float64)) for start in starts]
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def interval(values: np.ndarray, confidence: float) -> tuple[float, float, int]:
    """Percentile interval of resampled values (R,): low, high, and how many resamples had no value (NaN).

    These are left out; low and high are NaN where none is left.
    """
    defined = values[~np.isnan(values)]
    if not len(defined):
        return np.nan, np.nan, len(values)
    tail = (1 - confidence) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high), len(values) - len(defined)


def p_value(differences: np.ndarray) -> float:
    """Two-sided p-value of "no difference" from paired resampled differences (R,); NaN where none is defined.

    p = 2·min(1 + #{d ≤ 0}, 1 + #{d ≥ 0}) / (R + 1), at most 1. It is the percentile interval turned
    round: p is below 0.05 where the 95 % interval leaves 0 out. The added 1 keeps p above 0:
    Davison and Hinkley (1997), Bootstrap Methods and their Application, section 4.2.
    """
    defined = differences[~np.isnan(differences)]
    if not len(defined):
        return np.nan
    tail = 1 + min((defined <= 0).sum(), (defined >= 0).sum())
    return float(min(1.0, 2 * tail / (len(defined) + 1)))
