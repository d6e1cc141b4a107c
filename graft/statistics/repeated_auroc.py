"""AUROC of a model that was trained several times: on other draws, folds or seeds.

Two sources of chance are the patients who are tested and the randomness of training. An interval
here includes both: each resample draws patients, each with all their lesions, and repetitions.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from graft.statistics.bootstrap import interval, p_value, resample
from graft.statistics.cases import Cases
from graft.statistics.scores import auroc, classes_to_average, ranks, ratio


def count_ranked_pairs(
    labels: np.ndarray,
    probabilities: np.ndarray,
    weights: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Count the (diseased, healthy) pairs of cases that one model ranks correctly, and all pairs.

    Args:
        labels: (N,) class codes 0..C-1.
        probabilities: (N, C).
        weights: (R, N), 0 or more.

    Returns:
        Correctly ranked pairs, ties counted half, and all pairs: (R, K) each. With two classes
        K = 1, for the disease; with more K = C, each class against the rest.
    """
    correct = []
    total = []
    classes = probabilities.shape[1]
    for code in classes_to_average(classes):
        is_of_class = labels == code
        probability = probabilities[:, code]
        positives, negatives = ranks(is_of_class, probability, weights)
        pairs = positives.sum(1) * negatives.sum(1)  # (R,)
        area = auroc(positives, negatives)
        area = np.nan_to_num(area)  # without pairs, none is correct
        correct.append(area * pairs)
        total.append(pairs)
    return np.stack(correct, axis=1), np.stack(total, axis=1)


def auroc_from_pairs(correct: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Compute AUROC (R,) from `count_ranked_pairs` (R, K); NaN if a class has no pair."""
    aurocs = ratio(correct, total)  # (R, K)
    return aurocs.mean(1)


def draw_repetitions(count: int, resamples: int, random: np.random.Generator) -> np.ndarray:
    """Draw the weight of each of T repetitions in each resample: (R, T), each row sums to 1.

    T - 1 of T are drawn with replacement. If T were drawn, the variance of their mean would be
    too small, for three by a third. McCarthy and Snowden (1985), The bootstrap and finite
    population sampling. A single repetition always has the weight 1.
    """
    drawn = max(1, count - 1)
    shares = np.full(count, 1 / count)
    counts = random.multinomial(drawn, shares, size=resamples)
    return counts / drawn


@dataclass(frozen=True)
class RepeatedAuroc:
    """AUROC of one model in T repetitions, or the difference of two models."""

    each: np.ndarray  # (T,)
    resampled: np.ndarray  # (R,), means over repetitions; patients and repetitions are drawn

    @classmethod
    def of(
        cls,
        aurocs: Callable[[np.ndarray], np.ndarray],
        cases: Cases,
        repetitions: np.ndarray,
    ) -> "RepeatedAuroc":
        """Compute it from a function of weights.

        Args:
            aurocs: takes weights (r, N) of the cases and returns (r, T).
            cases: N cases with R resamples.
            repetitions: (R, T) from `draw_repetitions`.
        """

        def named(weights: np.ndarray) -> dict[str, np.ndarray]:
            return {"auroc": aurocs(weights)}

        equal_weights = np.ones((1, len(cases.labels)))
        each = aurocs(equal_weights)[0]  # (T,)
        resampled = resample(named, cases.draws, cases.patient)
        by_repetition = resampled["auroc"]  # (R, T)
        means = (by_repetition * repetitions).sum(1)
        return cls(each, means)

    def __sub__(self, other: "RepeatedAuroc") -> "RepeatedAuroc":
        """Return the paired difference: same cases, same resamples, same repetitions."""
        return RepeatedAuroc(
            each=self.each - other.each,
            resampled=self.resampled - other.resampled,
        )

    @property
    def value(self) -> float:
        """The mean over the repetitions."""
        return float(self.each.mean())

    @property
    def spread(self) -> float:
        """The standard deviation over the repetitions, divided by T - 1; NaN for one."""
        if len(self.each) < 2:
            return np.nan
        return float(np.std(self.each, ddof=1))

    def estimate(self, confidence: float) -> dict[str, float]:
        """Return {value, low, high, left_out}."""
        low, high, left_out = interval(self.resampled, confidence)
        return {
            "value": self.value,
            "low": low,
            "high": high,
            "left_out": left_out,
        }

    def gain(self, confidence: float) -> dict[str, float]:
        """Return {value, low, high, left_out, p} of a difference."""
        found = self.estimate(confidence)
        found["p"] = p_value(self.resampled)
        return found
