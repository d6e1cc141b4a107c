"""Paired resamples of five models at once, compared with scikit-learn's AUROC in a loop.

    python -m benchmarks.resamples

Times 2,000 resamples of the patients with five models and 300 lesions: first all eleven scores of
each model with their intervals and the four gains over the first model, as `evaluate` computes
them for a part, then AUROC alone. The peer is `sklearn.metrics.roc_auc_score` on the same
resamples, one by one. It is timed over the first 100 of them, and the time is scaled. Takes about
20 seconds.
"""

import time

import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks.cohorts import draw_cohort
from benchmarks.comparison import Comparison, report
from benchmarks.timing import median_seconds
from graft.common.seeds import generator
from graft.console import run
from graft.statistics.bootstrap import resample
from graft.statistics.cases import Assessment, Cases, estimates, score_model
from graft.statistics.compare import compare
from graft.statistics.scores import auroc, ranks

RESAMPLES = 2000
PATIENTS = 250
LESIONS = 300
AUROCS = {
    "scratch": 0.70,
    "transfer": 0.75,
    "regularized": 0.80,
    "bagging": 0.82,
    "boosting": 0.82,
}
LOOPED = 100  # resamples that scikit-learn is timed over
REPEATS = 3
THRESHOLD = 0.5
CONFIDENCE = 0.95
MARGIN = 0.05

Models = dict[str, np.ndarray]  # name -> probabilities (N, 2)


def main() -> None:
    """Time graft's resamples and scikit-learn's."""
    random = generator(0, "resamples")
    cohort = draw_cohort(PATIENTS, random)
    rows = cohort.rows.iloc[:LESIONS]
    cases = Cases.of(rows, ["benign", "malignant"], RESAMPLES, random)
    models = {}
    for name, value in AUROCS.items():
        models[name] = cohort.predict(value, random)[:LESIONS]

    def graft_aurocs() -> None:
        for probabilities in models.values():
            resampled_aurocs(cases, probabilities)

    def looped_aurocs() -> None:
        for probabilities in models.values():
            loop_over_resamples(cases, probabilities)

    # Processor time, because a busy machine does not lengthen it.
    whole = median_seconds(lambda: evaluate_models(cases, models), REPEATS, time.process_time)
    alone = median_seconds(graft_aurocs, REPEATS, time.process_time)
    looped = median_seconds(looped_aurocs, REPEATS, time.process_time)
    theirs = looped * RESAMPLES / LOOPED
    difference = aurocs_differ_by(cases, models["transfer"])
    work = f"{RESAMPLES} resamples, {len(models)} models, {LESIONS} lesions"
    peer = "scikit-learn's AUROC in a loop"
    note = f"processor time; AUROCs differ by at most {difference:.0e}"
    report(Comparison(f"{work}: AUROC", "s", alone, peer, theirs, note=note))
    note = "processor time; the peer computes the AUROC alone"
    what = f"{work}: eleven scores, intervals and gains"
    report(Comparison(what, "s", whole, peer, theirs, note=note))


def evaluate_models(cases: Cases, models: Models) -> None:
    """Compute what stages/evaluate.py computes of the models on one part."""
    assessed = {}
    for name, probabilities in models.items():
        scores = score_model(cases, probabilities, THRESHOLD)
        estimates(scores, CONFIDENCE)
        assessed[name] = Assessment(THRESHOLD, (), {"test": probabilities}, {"test": scores})
    compare({"test": cases}, assessed, "scratch", ("test",), CONFIDENCE, MARGIN)


def resampled_aurocs(cases: Cases, probabilities: np.ndarray) -> np.ndarray:
    """Return graft's AUROC in each resample (R,)."""

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        ranked = ranks(cases.labels == 1, probabilities[:, 1], weights)
        return {"auroc": auroc(*ranked)}

    return resample(measure, cases.draws, cases.patient)["auroc"]


def loop_over_resamples(cases: Cases, probabilities: np.ndarray) -> np.ndarray:
    """Return scikit-learn's AUROC in the first LOOPED resamples (LOOPED,)."""
    found = []
    disease = probabilities[:, 1]
    for weights in cases.draws[:LOOPED, cases.patient]:
        found.append(roc_auc_score(cases.labels, disease, sample_weight=weights))
    return np.array(found)


def aurocs_differ_by(cases: Cases, probabilities: np.ndarray) -> float:
    """Return the largest difference between graft's AUROC and scikit-learn's."""
    ours = resampled_aurocs(cases, probabilities)[:LOOPED]
    theirs = loop_over_resamples(cases, probabilities)
    return float(np.abs(ours - theirs).max())


if __name__ == "__main__":
    run(main)
