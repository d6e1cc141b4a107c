"""Scores of the cases of one part beside those of a judgement: their values and their resampled values."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from graft.statistics.bootstrap import jackknife, resample
from graft.statistics.cases import Cases


@dataclass(frozen=True)
class Measured:
    """Some scores of one part. `graft.statistics.cases.estimates` and `gain` read it as they read a judgement."""

    point: dict[str, float]
    resampled: dict[str, np.ndarray]  # the same names, (R,) each
    jackknifed: dict[str, np.ndarray]  # the same names, (P,) each: with one patient left out


def measure(cases: Cases, scores: Callable[[np.ndarray], dict[str, np.ndarray]]) -> Measured:
    """What `scores` gives for the cases as they are and for each resample, the same draws for whatever is measured.

    Args:
        cases: N cases.
        scores: takes weights (r, N), gives name -> (r,), NaN where a score is not defined.
    """
    found = scores(np.ones((1, len(cases.labels))))
    return Measured(
        point={name: float(value[0]) for name, value in found.items()},
        resampled=resample(scores, cases.draws, cases.patient),
        jackknifed=jackknife(scores, cases.patient, cases.draws.shape[1]),
    )
