"""How often an interval over several trainings holds the truth, with the trainings drawn too and without.

    python -m benchmarks.draws

Simulates networks that differ by luck: each has its own distance between the diseased and the healthy, and the same
60 patients are as hard for one as for the next in part. The truth is the AUROC of all such networks over all such
patients. Prints the share of 95 % intervals that hold it. Takes about ten seconds.
"""

import numpy as np
from scipy.stats import norm

from graft.common.seeds import generator
from graft.console import run, say
from graft.statistics.bootstrap import draw_patients, interval
from graft.statistics.repeated_auroc import auroc_from_pairs, count_ranked_pairs, draw_repetitions

PATIENTS, RESAMPLES, TRIALS, CONFIDENCE = 60, 400, 400, 0.95
DISTANCE, LUCK = (
    1.0,
    0.5,
)  # of the diseased from the healthy, in standard deviations: mean and spread over networks
SHARED = 0.7  # correlation of what two networks say of a healthy patient is its square
REPETITIONS = (1, 2, 3, 5, 10)


def main() -> None:
    truth = norm.cdf(DISTANCE / np.sqrt(2 + LUCK**2))  # E Φ(d / √2) for a normal d
    say("| trainings | patients drawn | patients and trainings drawn |\n| --- | --- | --- |")
    for count in REPETITIONS:
        held = np.mean(
            [trial(count, truth, generator(0, "draws", count, k)) for k in range(TRIALS)], axis=0
        )
        say(f"| {count} | {held[0]:.3f} | {held[1]:.3f} |")


def trial(count: int, truth: float, random: np.random.Generator) -> list[bool]:
    """Whether the interval over patients alone, and the one over both, hold the truth."""
    labels = np.arange(PATIENTS) % 2
    weights = draw_patients(PATIENTS, RESAMPLES, random).astype(float)
    picks, shared = draw_repetitions(count, RESAMPLES, random), random.normal(size=PATIENTS)
    areas = []
    for _ in range(count):
        own = random.normal(size=PATIENTS)
        disease = norm.cdf(
            SHARED * shared + np.sqrt(1 - SHARED**2) * own + labels * random.normal(DISTANCE, LUCK)
        )
        areas.append(
            auroc_from_pairs(
                *count_ranked_pairs(labels, np.stack([1 - disease, disease], 1), weights)
            )
        )
    resampled = np.stack(areas, 1)
    intervals = (
        interval(values, CONFIDENCE) for values in (resampled.mean(1), (resampled * picks).sum(1))
    )
    return [low <= truth <= high for low, high, _ in intervals]


if __name__ == "__main__":
    run(main)
