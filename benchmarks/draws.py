"""How often an interval over several trainings contains the truth.

    python -m benchmarks.draws

Simulates networks that differ by luck. Each has its own distance between diseased and healthy
patients, and all find the same 60 patients hard to some degree. The truth is the AUROC of all
such networks over all such patients. Prints the share of 95 % intervals that contain it, if
only patients are drawn and if trainings are drawn too. Takes about 20 seconds.
"""

import numpy as np
from scipy.stats import norm

from benchmarks.comparison import Comparison, report
from graft.common.seeds import generator
from graft.console import run, say
from graft.statistics.bootstrap import draw_patients, interval
from graft.statistics.repeated_auroc import auroc_from_pairs, count_ranked_pairs, draw_repetitions

PATIENTS = 60
RESAMPLES = 400
TRIALS = 400
CONFIDENCE = 0.95
DISTANCE = 1.0  # mean distance of diseased from healthy patients, in standard deviations
LUCK = 0.5  # standard deviation of that distance over networks
SHARED = 0.7  # its square is the correlation of two networks on healthy patients
REPETITIONS = (1, 2, 3, 5, 10)
REPORTED = 5  # the trainings of the comparison, as learning_curve.draws


def main() -> None:
    """Print how often intervals over several trainings contain the truth."""
    truth = norm.cdf(DISTANCE / np.sqrt(2 + LUCK**2))  # E Φ(d / √2) for a normal d
    say("| trainings | patients drawn | patients and trainings drawn |")
    say("| --- | --- | --- |")
    for count in REPETITIONS:
        trials = []
        for number in range(TRIALS):
            random = generator(0, "draws", count, number)
            trials.append(run_trial(count, truth, random))
        over_patients, over_both = np.mean(trials, axis=0)
        say(f"| {count} | {over_patients:.3f} | {over_both:.3f} |")
        if count == REPORTED:
            report_comparison(over_patients, over_both)


def report_comparison(over_patients: float, over_both: float) -> None:
    """Report how far the two shares of intervals that contain the truth are from 95 %."""
    what = f"distance from 95 % of intervals over {REPORTED} trainings that contain the truth"
    graft = abs(over_both - CONFIDENCE) * 100
    peer = abs(over_patients - CONFIDENCE) * 100
    note = f"standard error {100 * np.sqrt(CONFIDENCE * (1 - CONFIDENCE) / TRIALS):.1f}"
    report(Comparison(what, "points", graft, "only patients drawn", peer, note=note))


def run_trial(count: int, truth: float, random: np.random.Generator) -> tuple[bool, bool]:
    """Simulate `count` trainings on one cohort.

    Returns:
        Whether the interval over patients contains the truth, and whether the one over patients and
        trainings does.
    """
    labels = np.arange(PATIENTS) % 2
    weights = draw_patients(PATIENTS, RESAMPLES, random).astype(float)  # (R, N)
    picks = draw_repetitions(count, RESAMPLES, random)  # (R, T)
    shared = random.normal(size=PATIENTS)
    areas = []
    for _ in range(count):
        own = random.normal(size=PATIENTS)
        distance = random.normal(DISTANCE, LUCK)
        noise = SHARED * shared + np.sqrt(1 - SHARED**2) * own
        reading = noise + labels * distance
        disease = norm.cdf(reading)
        probabilities = np.stack([1 - disease, disease], 1)  # (N, 2)
        areas.append(auroc_from_pairs(*count_ranked_pairs(labels, probabilities, weights)))
    resampled = np.stack(areas, 1)  # (R, T)
    over_patients = resampled.mean(1)
    over_both = (resampled * picks).sum(1)
    return _contains(over_patients, truth), _contains(over_both, truth)


def _contains(resampled: np.ndarray, truth: float) -> bool:
    low, high, _ = interval(resampled, CONFIDENCE)
    return low <= truth <= high


if __name__ == "__main__":
    run(main)
