"""Calibration: maps from a model's probabilities to better ones, fitted on the validation part.

They change how confident a model is, and neither its threshold nor its calls.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax, softmax

from graft.statistics.scores import LEAST_PROBABILITY, classes_to_average, ratio

TEMPERATURES = (0.1, 10.0)  # limits for small parts: at 0.1 the odds are raised to the 10th power
DECIMALS = 4  # of a temperature; the last bits of a sum depend on the machine

Knots = tuple[np.ndarray, np.ndarray]  # x and y of a curve's corners


@dataclass(frozen=True)
class Temperature:
    """Softmax of the log-probabilities divided by `value`.

    A value below 1 makes a model more confident, one above 1 less.
    """

    value: float
    fitted_on: tuple[int, ...]  # sample numbers

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Calibrate (N, C); the order of the cases and their most probable class do not change."""
        return softmax(_logs(probabilities) / self.value, axis=1)


@dataclass(frozen=True)
class Isotonic:
    """A rising curve for each class against the rest; with two classes, for the disease alone.

    Without knots it is the identity.
    """

    knots: tuple[Knots, ...]
    fitted_on: tuple[int, ...]  # sample numbers

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Calibrate (N, C), linearly between the corners; more than two classes are normalised."""
        if not self.knots:
            return probabilities
        columns = probabilities[:, -len(self.knots) :].T  # the disease alone, or every class
        curves = []
        for column, (x, y) in zip(columns, self.knots, strict=True):
            curves.append(np.interp(column, x, y))
        calibrated = np.stack(curves, axis=1)
        if len(self.knots) == 1:
            return np.concatenate([1 - calibrated, calibrated], axis=1)
        return calibrated / calibrated.sum(1, keepdims=True)


def fit_temperature(
    labels: np.ndarray,
    probabilities: np.ndarray,
    samples: tuple[int, ...],
) -> Temperature:
    """Find the temperature within TEMPERATURES with the lowest log loss.

    It is 1 if there is only one class, or if all probabilities are equal so that every
    temperature is as good. Guo, Pleiss, Sun and Weinberger (2017), On Calibration of Modern
    Neural Networks, ICML. The log loss is convex in 1/T, so there is one minimum.

    Args:
        labels: (N,) class codes of the validation part.
        probabilities: (N, C).
        samples: the N sample numbers.
    """
    from scipy.optimize import minimize_scalar

    logs = _logs(probabilities)
    if len(np.unique(labels)) < 2 or not np.ptp(logs, axis=1).any():
        return Temperature(1.0, samples)
    cases = np.arange(len(labels))

    def log_loss(log_temperature: float) -> float:
        scaled = logs / np.exp(log_temperature)
        return -log_softmax(scaled, axis=1)[cases, labels].mean()

    ends = np.log(TEMPERATURES)
    found = minimize_scalar(log_loss, bounds=ends, method="bounded", options={"xatol": 1e-8})
    best = min((*ends, found.x), key=log_loss)
    return Temperature(float(np.exp(best).round(DECIMALS)), samples)


def fit_isotonic(
    labels: np.ndarray,
    probabilities: np.ndarray,
    samples: tuple[int, ...],
) -> Isotonic:
    """Fit the rising curve with the least squared error to each class against the rest.

    The curve stays within 1 / (N + 2) and (N + 1) / (N + 2), which is Laplace's rule of
    succession: N cases of one class give no higher confidence, and the log loss stays finite. The
    arguments are those of `fit_temperature`. It is the identity if a class has no case.

    Zadrozny and Elkan (2002), Transforming Classifier Scores into Accurate Multiclass Probability
    Estimates, KDD.
    """
    from sklearn.isotonic import IsotonicRegression

    cases, classes = probabilities.shape
    if len(np.unique(labels)) < classes:
        return Isotonic((), samples)
    least = 1 / (cases + 2)
    knots = []
    for code in classes_to_average(classes):
        curve = IsotonicRegression(y_min=least, y_max=1 - least)
        curve.fit(probabilities[:, code], labels == code)
        knots.append((curve.X_thresholds_, curve.y_thresholds_))
    return Isotonic(tuple(knots), samples)


def wilson(
    positive: np.ndarray,
    weights: np.ndarray,
    confidence: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Compute Wilson's interval of a share of lesions that come from fewer patients.

    The number of lesions n is replaced by n² / Σm² over the patients, who have m each. That is
    the effective number if the lesions of one patient always agree. With one lesion per patient it
    is n. Wilson (1927), Probable Inference, JASA 22; Kish (1965), Survey Sampling, for the design
    effect Σm² / n.

    Args:
        positive: (B, P) positive lesions of each patient in each of B groups.
        weights: (B, P) lesions.
        confidence: of the interval.

    Returns:
        The low and the high ends, (B,) each.
    """
    from scipy.stats import norm

    lesions = weights.sum(1)
    share = ratio(positive.sum(1), lesions)
    count = ratio(lesions**2, (weights**2).sum(1))  # effective
    z2 = norm.ppf((1 + confidence) / 2) ** 2
    scale = 1 + z2 / count
    middle = (share + z2 / (2 * count)) / scale
    variance = share * (1 - share) + z2 / (4 * count)
    half = np.sqrt(z2 * variance / count) / scale
    return np.maximum(middle - half, 0.0), np.minimum(middle + half, 1.0)


def _logs(probabilities: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(probabilities, LEAST_PROBABILITY))
