"""Paired resamples of five models at once, beside scikit-learn's AUROC in a loop.

    python -m benchmarks.resamples

Times 2,000 resamples of the patients, five models and 300 lesions: all eleven scores of each model with their intervals
and the four gains over the first, as `evaluate` works them out for a part, and AUROC alone. The peer is
`sklearn.metrics.roc_auc_score` on the same resamples, one by one: over the first 100 of them, counted for all. Takes
about 5 seconds.
"""

import time
from collections.abc import Callable
from statistics import median

import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks.cohorts import draw_cohort
from graft.common.seeds import generator
from graft.console import run, say
from graft.statistics.bootstrap import resample
from graft.statistics.cases import Assessment, Cases, estimates, score_model
from graft.statistics.compare import compare
from graft.statistics.scores import auroc, ranks

RESAMPLES, PATIENTS, LESIONS = 2000, 250, 300
AUROCS = {"scratch": 0.70, "transfer": 0.75, "regularized": 0.80, "bagging": 0.82, "boosting": 0.82}
LOOPED = 100  # resamples of the peer
REPEATS = 3


def main() -> None:
    random = generator(0, "resamples")
    cohort = draw_cohort(PATIENTS, random)
    chosen = np.arange(LESIONS)
    cases = Cases.of(cohort.rows.iloc[chosen], ["benign", "malignant"], RESAMPLES, random)
    models = {name: cohort.read(value, random)[chosen] for name, value in AUROCS.items()}
    whole = _time(lambda: evaluate(cases, models))
    alone = _time(lambda: [aurocs(cases, probabilities) for probabilities in models.values()])
    looped = _time(lambda: [loop(cases, probabilities) for probabilities in models.values()])
    theirs = looped * RESAMPLES / LOOPED
    same = np.abs(
        aurocs(cases, models["transfer"])[:LOOPED] - loop(cases, models["transfer"])
    ).max()
    say(
        f"{RESAMPLES} resamples of the patients, {len(models)} models, {LESIONS} lesions; processor seconds"
    )
    say(f"  graft, eleven scores, intervals and gains  {whole:8.3f} s")
    say(f"  graft, AUROC alone                         {alone:8.3f} s")
    say(
        f"  scikit-learn, AUROC alone, in a loop       {theirs:8.3f} s (of {LOOPED} resamples, scaled)"
    )
    say(
        f"  graft is {theirs / alone:.0f} times as fast for AUROC, {theirs / whole:.0f} times with all that evaluate does"
    )
    say(f"  largest difference of an AUROC             {same:.1e}")


def evaluate(cases: Cases, models: dict[str, np.ndarray]) -> None:
    """All that stages.evaluate works out of five models on one part."""
    judged = {
        name: score_model(cases, probabilities, 0.5) for name, probabilities in models.items()
    }
    assessed = {
        name: Assessment(0.5, (), {"test": models[name]}, {"test": found})
        for name, found in judged.items()
    }
    for found in judged.values():
        estimates(found, 0.95)
    compare({"test": cases}, assessed, "scratch", ("test",), 0.95, 0.05)


def aurocs(cases: Cases, probabilities: np.ndarray) -> np.ndarray:
    """AUROC in each resample (R,), by graft."""

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        return {"auroc": auroc(*ranks(cases.labels == 1, probabilities[:, 1], weights))}

    return resample(measure, cases.draws, cases.patient)["auroc"]


def loop(cases: Cases, probabilities: np.ndarray) -> np.ndarray:
    """AUROC in the first LOOPED resamples (LOOPED,), by scikit-learn."""
    weights = cases.draws[:LOOPED, cases.patient]
    return np.array(
        [roc_auc_score(cases.labels, probabilities[:, 1], sample_weight=row) for row in weights]
    )


def _time(call: Callable[[], object]) -> float:
    """Median processor seconds of a call, which a busy machine does not lengthen, after one that is not timed."""
    seconds = []
    for _ in range(1 + REPEATS):
        began = time.process_time()
        call()
        seconds.append(time.process_time() - began)
    return median(seconds[1:])


if __name__ == "__main__":
    run(main)
