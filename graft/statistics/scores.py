"""Scores of a diagnosis model, each over R weightings of the same N cases at once.

A bootstrap resample is a weighting: a case that is drawn twice weighs 2, one that is left out
weighs 0. A plain score is the weighting with ones, so a value and its interval use one formula.
"""

import numpy as np
from numpy.typing import ArrayLike

BINS = 10  # of equal width over [0, 1], for the calibration error and its curve
LEAST_PROBABILITY = float(np.finfo(np.float64).eps)  # keeps every log loss finite
THRESHOLD_DECIMALS = 6
YOUDEN_DECIMALS = 12  # equal fractions must tie, whatever their last bit
PROBABILITY_DECIMALS = 8  # as in predictions.csv, so that every score can be computed from it
PER_CLASS = ("recall", "specificity", "precision", "f1")
CALIBRATION = ("brier", "log_loss", "ece")  # scores of the probabilities themselves
# Biased upwards in small parts, and more so in resamples, whose interval can exclude the value.
WITHOUT_INTERVAL = frozenset({"ece"})
HEADLINE = (
    "auroc",
    "auprc",
    "accuracy",
    "balanced_accuracy",
    "sensitivity",
    "specificity",
    "precision",
    "f1",
    *CALIBRATION,
)


def score(
    labels: np.ndarray,
    probabilities: np.ndarray,
    weights: np.ndarray,
    threshold: float | None,
) -> dict[str, np.ndarray]:
    """Compute every score of HEADLINE.

    With two classes they are those of the disease, which is the last class. With more they are
    the plain mean over the classes, each against the rest. Accuracy and log loss have their usual
    definition, and the Brier score is the sum over the classes (as in scikit-learn).

    Args:
        labels: (N,) class codes 0..C-1.
        probabilities: (N, C), rows that sum to 1.
        weights: (R, N), 0 or more.
        threshold: of the disease's probability, see `choose_threshold`; None calls the class with
            the highest probability.

    Returns:
        name -> (R,); NaN if a score is not defined, as AUROC is with one class.
    """
    classes = probabilities.shape[1]
    averaged = classes_to_average(classes)
    aurocs = []
    auprcs = []
    for code in averaged:
        is_of_class = labels == code
        probability = probabilities[:, code]
        positives, negatives = ranks(is_of_class, probability, weights)
        aurocs.append(auroc(positives, negatives))
        auprcs.append(auprc(positives, negatives))
    called = call(probabilities, threshold)
    matrix = confusion(labels, called, weights, classes)  # (R, C, C)
    correct = np.trace(matrix, axis1=1, axis2=2)  # (R,)
    total = weights.sum(1)
    by_class = per_class(matrix)  # (R, C) each
    mean = {}
    for name, values in by_class.items():
        mean[name] = values[:, averaged].mean(1)  # (R,)
    return {
        "auroc": np.mean(aurocs, axis=0),
        "auprc": np.mean(auprcs, axis=0),
        "accuracy": ratio(correct, total),
        "balanced_accuracy": by_class["recall"].mean(1),
        "sensitivity": mean["recall"],
        "specificity": mean["specificity"],
        "precision": mean["precision"],
        "f1": mean["f1"],
        **calibration_scores(labels, probabilities, weights),
    }


def calibration_scores(
    labels: np.ndarray,
    probabilities: np.ndarray,
    weights: np.ndarray,
) -> dict[str, np.ndarray]:
    """Compute the scores of CALIBRATION: name -> (R,). The arguments are those of `score`."""
    classes = probabilities.shape[1]
    calibration_errors = []
    for code in classes_to_average(classes):
        is_of_class = labels == code
        probability = probabilities[:, code]
        error = _calibration_error(is_of_class, probability, weights)
        calibration_errors.append(error)
    squared_errors = weights @ _brier(labels, probabilities)  # (R,)
    log_losses = weights @ _log_loss(labels, probabilities)
    total = weights.sum(1)
    return {
        "brier": ratio(squared_errors, total),
        "log_loss": ratio(log_losses, total),
        "ece": np.mean(calibration_errors, axis=0),
    }


def classes_to_average(classes: int) -> list[int]:
    """Return the classes that a score averages: the disease of two classes, otherwise all."""
    if classes == 2:
        return [1]
    return list(range(classes))


def call(probabilities: np.ndarray, threshold: float | None) -> np.ndarray:
    """Return the class code that is called for each row of (N, C).

    A threshold calls the disease if its probability is at least that. None calls the class with
    the highest probability.
    """
    if threshold is None:
        return probabilities.argmax(1)
    is_called = probabilities[:, 1] >= threshold
    return is_called.astype(np.int64)


def choose_threshold(labels: np.ndarray, probabilities: np.ndarray) -> float | None:
    """Choose the threshold with the best balanced accuracy, which has the largest Youden index.

    Candidates are 0.5 and the midpoints between neighbouring probabilities. Of equally good ones
    the nearest to 0.5 is chosen. Pass the validation part and no other.
    Youden (1950), Index for rating diagnostic tests.

    Returns:
        The threshold; 0.5 if a class has no case, None with more than two classes.
    """
    if probabilities.shape[1] > 2:
        return None
    if len(np.unique(labels)) < 2:
        return 0.5
    disease = probabilities[:, 1]
    distinct = np.unique(disease)
    midpoints = (distinct[1:] + distinct[:-1]) / 2
    candidates = np.append(midpoints, 0.5).round(THRESHOLD_DECIMALS)
    candidates = np.unique(candidates)  # (T,)
    diseased = np.sort(disease[labels == 1])
    healthy = np.sort(disease[labels == 0])
    missed = np.searchsorted(diseased, candidates)  # (T,)
    rejected = np.searchsorted(healthy, candidates)
    sensitivity = 1 - missed / len(diseased)
    specificity = rejected / len(healthy)
    youden = (sensitivity + specificity).round(YOUDEN_DECIMALS)
    best = candidates[youden == youden.max()]
    distances = np.abs(best - 0.5)
    nearest = distances.argmin()
    return float(best[nearest])


def confusion(
    labels: np.ndarray,
    called: np.ndarray,
    weights: np.ndarray,
    classes: int,
) -> np.ndarray:
    """Compute the weight of each (true class, called class): (R, C, C)."""
    number_of_cells = classes * classes
    cell = labels * classes + called  # (N,)
    in_cell = np.eye(number_of_cells)[cell]  # (N, C * C)
    matrix = weights @ in_cell  # (R, C * C)
    return matrix.reshape(-1, classes, classes)


def per_class(matrix: np.ndarray) -> dict[str, np.ndarray]:
    """Compute the scores of PER_CLASS, each class against the rest.

    Args:
        matrix: (R, C, C) from `confusion`.

    Returns:
        name -> (R, C); NaN if a score is not defined.
    """
    hits = np.diagonal(matrix, axis1=1, axis2=2)  # (R, C)
    present = matrix.sum(2)
    called = matrix.sum(1)
    total = matrix.sum((1, 2))
    total = total[:, None]  # (R, 1)
    absent = total - present
    rejected = total - present - called + hits
    return {
        "recall": ratio(hits, present),
        "specificity": ratio(rejected, absent),
        "precision": ratio(hits, called),
        "f1": ratio(2 * hits, present + called),
    }


def ranks(
    positive: np.ndarray,
    values: np.ndarray,
    weights: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Sum the weights of cases with the same value, for each of G distinct values, lowest first.

    Args:
        positive: (N,) bool.
        values: (N,).
        weights: (R, N).

    Returns:
        The weights of the positive and of the negative cases: (R, G) each.
    """
    order = np.argsort(values, kind="stable")
    rising = values[order]
    is_larger = np.diff(rising) > 0
    is_new = np.append(True, is_larger)
    first = np.flatnonzero(is_new)  # (G,) where each distinct value starts
    ordered = weights[:, order]  # (R, N)
    is_positive = positive[order]
    positive_weights = ordered * is_positive
    negative_weights = ordered * ~is_positive
    positives = np.add.reduceat(positive_weights, first, axis=1)
    negatives = np.add.reduceat(negative_weights, first, axis=1)
    return positives, negatives


def auroc(positives: np.ndarray, negatives: np.ndarray) -> np.ndarray:
    """Compute the area under the ROC curve (R,) from `ranks`.

    It is the share of (positive, negative) pairs in which the positive has the larger value, ties
    counted half: Mann-Whitney's U over the number of pairs. Hanley and McNeil (1982), Radiology
    143. NaN without positives or without negatives.
    """
    return ratio(*ordered_pairs(positives, negatives))


def ordered_pairs(positives: np.ndarray, negatives: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum the weights of (positive, negative) pairs from `ranks`.

    Returns:
        Those in which the positive has the larger value, ties counted half, and all: (R,) each.
    """
    up_to = np.cumsum(negatives, axis=1)  # (R, G) negatives at this value and below
    below = up_to - negatives
    ties = negatives / 2
    correct = (positives * (below + ties)).sum(1)
    return correct, positives.sum(1) * negatives.sum(1)


def auprc(positives: np.ndarray, negatives: np.ndarray) -> np.ndarray:
    """Compute the average precision (R,) from `ranks`; NaN without positives.

    It is the sum of precision × step in recall.
    """
    true_calls = _sum_from_above(positives)  # (R, G)
    false_calls = _sum_from_above(negatives)
    precision = ratio(true_calls, true_calls + false_calls)
    precision = np.nan_to_num(precision)  # without calls there is no step in recall either
    area = (positives * precision).sum(1)
    return ratio(area, positives.sum(1))


def bins(values: np.ndarray) -> np.ndarray:
    """Return the calibration bin 0..BINS-1 of each probability; 1.0 is in the last."""
    numbers = (values * BINS).astype(np.int64)
    last = BINS - 1
    return np.minimum(numbers, last)


def ratio(numerator: ArrayLike, denominator: ArrayLike) -> np.ndarray:
    """Divide, with NaN where the denominator is 0."""
    above, below = np.broadcast_arrays(numerator, denominator)
    undefined = np.full(above.shape, np.nan)
    is_defined = below != 0
    return np.divide(above, below, out=undefined, where=is_defined)


def _sum_from_above(weights: np.ndarray) -> np.ndarray:
    """Sum the weights at each value and above: (R, G), for values in rising order."""
    falling = weights[:, ::-1]
    sums = np.cumsum(falling, axis=1)
    return sums[:, ::-1]


def _brier(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return the squared error of each case (N,): of the disease, or summed over more classes."""
    classes = probabilities.shape[1]
    truth = np.eye(classes)[labels]  # (N, C)
    errors = (probabilities - truth) ** 2
    if classes == 2:
        return errors[:, 1]
    return errors.sum(1)


def _log_loss(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return -ln of the true class's probability, (N,), in nats."""
    cases = np.arange(len(labels))
    true_class = probabilities[cases, labels]
    above_zero = np.maximum(true_class, LEAST_PROBABILITY)
    return -np.log(above_zero)


def _calibration_error(
    positive: np.ndarray,
    values: np.ndarray,
    weights: np.ndarray,
) -> np.ndarray:
    """Compute the expected calibration error (R,).

    It is |mean probability - observed share| of each bin, weighted by its cases. Naeini, Cooper
    and Hauskrecht (2015), Obtaining well calibrated probabilities using Bayesian binning.
    """
    in_bin = np.eye(BINS)[bins(values)]  # (N, BINS)
    differences = values - positive  # (N,)
    differences_in_bin = in_bin * differences[:, None]  # (N, BINS)
    sums = weights @ differences_in_bin  # (R, BINS)
    gaps = np.abs(sums).sum(1)  # (R,)
    return ratio(gaps, weights.sum(1))
