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
    """Softmax of the log-probabilities divided by `value`, plus a bias for each class if any.

    A value below 1 makes a model more confident, one above 1 less.
    """

    value: float
    fitted_on: tuple[int, ...]  # sample numbers
    bias: tuple[float, ...] = ()  # of C classes

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Calibrate (N, C); without a bias, the most probable class of a case does not change."""
        logs = _logs(probabilities)  # (N, C)
        scaled = logs / self.value
        if self.bias:
            scaled = scaled + np.array(self.bias)
        return softmax(scaled, axis=1)

    def inverse(self) -> "Temperature":
        """What makes the probabilities (N, C) again that were calibrated."""
        bias = tuple(-self.value * one for one in self.bias)
        return Temperature(1 / self.value, self.fitted_on, bias)


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
        count = len(self.knots)
        curved = probabilities[:, -count:]  # (N, K): the disease alone, or every class
        columns = []
        for column, knots in zip(curved.T, self.knots, strict=True):
            x, y = knots
            columns.append(np.interp(column, x, y))
        calibrated = np.stack(columns, axis=1)  # (N, K)
        if count == 1:
            healthy = 1 - calibrated
            return np.concatenate([healthy, calibrated], axis=1)
        total = calibrated.sum(axis=1, keepdims=True)
        return calibrated / total


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

    logs = _logs(probabilities)  # (N, C)
    spread = np.ptp(logs, axis=1)
    if len(np.unique(labels)) < 2 or not spread.any():
        return Temperature(1.0, fitted_on=samples)
    cases = np.arange(len(labels))

    def log_loss(log_temperature: float) -> float:
        scaled = logs / np.exp(log_temperature)
        calibrated = log_softmax(scaled, axis=1)
        true_class = calibrated[cases, labels]  # (N,)
        return -true_class.mean()

    lowest, highest = np.log(TEMPERATURES)
    found = minimize_scalar(
        log_loss,
        bounds=(lowest, highest),
        method="bounded",
        options={"xatol": 1e-8},
    )
    candidates = [lowest, highest, found.x]  # the search never tries the ends themselves
    best = min(candidates, key=log_loss)
    temperature = np.exp(best).round(DECIMALS)
    return Temperature(float(temperature), fitted_on=samples)


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
        return Isotonic(knots=(), fitted_on=samples)
    least = 1 / (cases + 2)
    knots = []
    for code in classes_to_average(classes):
        probability = probabilities[:, code]
        is_of_class = labels == code
        curve = IsotonicRegression(y_min=least, y_max=1 - least)
        curve.fit(probability, is_of_class)
        corners = (curve.X_thresholds_, curve.y_thresholds_)
        knots.append(corners)
    return Isotonic(tuple(knots), fitted_on=samples)


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

    lesions = weights.sum(1)  # (B,)
    share = ratio(positive.sum(1), lesions)
    squares = (weights**2).sum(1)
    count = ratio(lesions**2, squares)  # effective
    z = norm.ppf((1 + confidence) / 2)
    z2 = z**2
    scale = 1 + z2 / count
    middle = (share + z2 / (2 * count)) / scale
    variance = share * (1 - share) + z2 / (4 * count)
    half_width = np.sqrt(z2 * variance / count) / scale
    low = np.maximum(middle - half_width, 0.0)
    high = np.minimum(middle + half_width, 1.0)
    return low, high


def _logs(probabilities: np.ndarray) -> np.ndarray:
    """Return the log-probabilities (N, C), all finite."""
    above_zero = np.maximum(probabilities, LEAST_PROBABILITY)
    return np.log(above_zero)
