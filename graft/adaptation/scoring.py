"""What adaptation is worth, by the number of labels, on patients that it was not fitted to."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd

from graft.adaptation.crossfit import Adapted, CrossFit
from graft.adaptation.fits import NONE
from graft.common.seeds import generator
from graft.conformal.quantiles import predict_sets
from graft.statistics.cases import Cases, ResampledScores, estimates, gain, score_cases
from graft.statistics.scores import LEAST_PROBABILITY, call, ratio

SIZES = (0, 10, 20, 50)  # labelled lesions; all of them come last
RESAMPLES = 2000
POINT = "sensitivity"  # the operating point that is scored


def score_curve(cross: CrossFit, confidence: float, sizes: Sequence[int] = SIZES) -> list[dict]:
    """Score adaptation with several numbers of labels, each on all labelled patients.

    For each fold, only the first labels outside of it are used, and all images outside of it. The
    last entry is for all labels.

    Args:
        cross: chooses and fits the methods.
        confidence: of the intervals.
        sizes: the numbers of labels before all.
    """
    site = cross.fitter.site
    cases = _cases(cross)
    nothing = np.zeros(0, dtype=int)
    unchanged = cross.adapt(nothing, cross.outside(), NONE)
    before = _score(cross, cases, dict.fromkeys(cross.numbers, unchanged))
    fewest = min(len(cross.first(None, cross.outside(fold))) for fold in cross.numbers)
    entries = []
    for size in (*(size for size in sizes if size < fewest), None):
        adapted = {}
        for fold in cross.numbers:
            seen = cross.outside(fold)
            adapted[fold] = cross.adapt(cross.first(size, seen), seen)
        after = _score(cross, cases, adapted)
        entries.append(
            {
                "labels": len(site.labelled) if size is None else size,
                "methods": dict(Counter(one.method for one in adapted.values())),
                "before": estimates(before, confidence),
                "after": estimates(after, confidence),
                "gain": gain(before, after, confidence, "log_loss"),
            }
        )
    return entries


def _cases(cross: CrossFit) -> Cases:
    site = cross.fitter.site
    names = list(cross.fitter.predictor.classes)
    labels = [names[code] for code in site.labels[site.labelled]]
    rows = pd.DataFrame({"patient": site.patients[site.labelled], "label": labels})
    return Cases.of(rows, names, RESAMPLES, generator(cross.seed, "adapt", "bootstrap"))


def _score(cross: CrossFit, cases: Cases, adapted: dict[int, Adapted]) -> ResampledScores:
    """Score the labelled lesions, each by what was fitted without the patients of its fold."""
    site = cross.fitter.site
    losses = np.zeros(len(cases.labels))
    called = np.full(len(cases.labels), np.nan)
    covered = losses.copy()
    for fold, one in adapted.items():
        inside = np.flatnonzero(cross.folds[site.labelled] == fold)
        rows, labels = site.labelled[inside], cases.labels[inside]
        calibrated = one.fit.calibrated[rows]
        true_class = calibrated[np.arange(len(rows)), labels]
        losses[inside] = -np.log(np.maximum(true_class, LEAST_PROBABILITY))
        sets = predict_sets(calibrated, one.quantiles)
        covered[inside] = sets[np.arange(len(rows)), labels]
        if one.points.get(POINT) is not None:
            called[inside] = call(one.fit.raw[rows], one.points[POINT])
    diseased = (cases.labels == 1).astype(float)

    def scores(weights: np.ndarray) -> dict[str, np.ndarray]:
        total = weights.sum(1)
        healthy = 1 - diseased
        return {
            "log_loss": ratio(weights @ losses, total),
            "sensitivity": ratio(weights @ (diseased * called), weights @ diseased),
            "specificity": ratio(weights @ (healthy * (1 - called)), weights @ healthy),
            "coverage": ratio(weights @ covered, total),
        }

    return score_cases(cases, scores)
