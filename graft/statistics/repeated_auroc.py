"""AUROC of a model that was trained several times: on other draws of patients, in other folds, from other seeds.

Who was drawn to be tested and what luck training had are two sources of chance. An interval here holds both: in each
resample the patients are drawn, each with all their lesions, and the repetitions too.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from graft.statistics.bootstrap import interval, p_value, resample
from graft.statistics.cases import Cases
from graft.statistics.scores import auroc, ranks, ratio


def pairs(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Of the (diseased, healthy) pairs of cases: how many are ranked rightly, ties half, and how many there are.

    Args:
        labels: (N,) class codes 0..C-1.
        probabilities: (N, C), of one model.
        weights: (R, N), 0 or more.

    Returns:
        Two arrays (R, K): with two classes K = 1, for the last; with more K = C, each class against the rest.
    """
    classes = probabilities.shape[1]
    won, number = [], []
    for code in [1] if classes == 2 else range(classes):
        positives, negatives = ranks(labels == code, probabilities[:, code], weights)
        number.append(positives.sum(1) * negatives.sum(1))
        won.append(np.nan_to_num(auroc(positives, negatives)) * number[-1])
    return np.stack(won, 1), np.stack(number, 1)


def area(won: np.ndarray, number: np.ndarray) -> np.ndarray:
    """AUROC (R,) from `pairs` (R, K), as graft.statistics.scores.score has it; NaN where a class has no pair."""
    return ratio(won, number).mean(1)


def pick(count: int, resamples: int, random: np.random.Generator) -> np.ndarray:
    """The weight of each of T repetitions in each resample: (R, T), each row sums to 1.

    T − 1 of T are drawn, with replacement: with T, their mean would vary too little, for three by a third of its
    variance. McCarthy and Snowden (1985), The bootstrap and finite population sampling. One repetition stays as it is.
    """
    picked = max(1, count - 1)
    return random.multinomial(picked, np.full(count, 1 / count), size=resamples) / picked


@dataclass(frozen=True)
class Areas:
    """AUROC of one model in T repetitions, or the difference of two models'."""

    each: np.ndarray  # (T,)
    resampled: (
        np.ndarray
    )  # (R,), the mean over repetitions, of patients and repetitions drawn together

    @classmethod
    def of(
        cls, measure: Callable[[np.ndarray], np.ndarray], cases: Cases, picks: np.ndarray
    ) -> "Areas":
        """From a function that takes weights (r, N) of the cases and gives (r, T), and `picks` (R, T)."""
        each = measure(np.ones((1, len(cases.labels))))[0]
        resampled = resample(
            lambda weights: {"auroc": measure(weights)}, cases.draws, cases.patient
        )["auroc"]
        return cls(each, (resampled * picks).sum(1))

    def __sub__(self, other: "Areas") -> "Areas":
        """The paired difference: same cases, same resamples, same repetitions."""
        return Areas(self.each - other.each, self.resampled - other.resampled)

    @property
    def value(self) -> float:
        return float(self.each.mean())

    @property
    def spread(self) -> float:
        """Standard deviation over the repetitions, T − 1 in the denominator; NaN for one."""
        return float(np.std(self.each, ddof=1)) if len(self.each) > 1 else np.nan

    def estimate(self, confidence: float) -> dict[str, float]:
        """{value, low, high, left_out}"""
        low, high, left_out = interval(self.resampled, confidence)
        return {"value": self.value, "low": low, "high": high, "left_out": left_out}

    def gain(self, confidence: float) -> dict[str, float]:
        """{value, low, high, left_out, p} of a difference."""
        return {**self.estimate(confidence), "p": p_value(self.resampled)}
