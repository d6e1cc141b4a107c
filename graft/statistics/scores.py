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
    called = call(probabilities, threshold)
    matrix = confusion(labels, called, weights, classes)  # (R, C, C)
    hits = np.trace(matrix, axis1=1, axis2=2)
    by_class = per_class(matrix)
    mean = {name: values[:, averaged].mean(1) for name, values in by_class.items()}
    aurocs = []
    auprcs = []
    for code in averaged:
        positives, negatives = ranks(labels == code, probabilities[:, code], weights)
        aurocs.append(auroc(positives, negatives))
        auprcs.append(auprc(positives, negatives))
    return {
        "auroc": np.mean(aurocs, axis=0),
        "auprc": np.mean(auprcs, axis=0),
        "accuracy": ratio(hits, weights.sum(1)),
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
    total = weights.sum(1)
    errors = []
    for code in classes_to_average(probabilities.shape[1]):
        errors.append(_calibration_error(labels == code, probabilities[:, code], weights))
    return {
        "brier": ratio(weights @ _brier(labels, probabilities), total),
        "log_loss": ratio(weights @ _log_loss(labels, probabilities), total),
        "ece": np.mean(errors, axis=0),
    }


def classes_to_average(classes: int) -> list[int]:
    """Return the classes that a score averages: the disease of two classes, otherwise all."""
    return [1] if classes == 2 else list(range(classes))


def call(probabilities: np.ndarray, threshold: float | None) -> np.ndarray:
    """Return the class code that is called for each row of (N, C).

    A threshold calls the disease if its probability is at least that. None calls the class with
    the highest probability.
    """
    if threshold is None:
        return probabilities.argmax(1)
    return (probabilities[:, 1] >= threshold).astype(np.int64)


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
    candidates = np.unique(np.append(midpoints, 0.5).round(THRESHOLD_DECIMALS))
    diseased = np.sort(disease[labels == 1])
    healthy = np.sort(disease[labels == 0])
    sensitivity = 1 - np.searchsorted(diseased, candidates) / len(diseased)
    specificity = np.searchsorted(healthy, candidates) / len(healthy)
    youden = (sensitivity + specificity).round(YOUDEN_DECIMALS)
    best = candidates[youden == youden.max()]
    nearest = np.abs(best - 0.5).argmin()
    return float(best[nearest])


def confusion(
    labels: np.ndarray,
    called: np.ndarray,
    weights: np.ndarray,
    classes: int,
) -> np.ndarray:
    """Compute the weight of each (true class, called class): (R, C, C)."""
    cells = np.eye(classes * classes)[labels * classes + called]  # (N, C * C)
    return (weights @ cells).reshape(-1, classes, classes)


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
    total = matrix.sum((1, 2))[:, None]  # (R, 1)
    rejected = total - present - called + hits
    return {
        "recall": ratio(hits, present),
        "specificity": ratio(rejected, total - present),
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
    is_new = np.append(True, np.diff(values[order]) > 0)
    first = np.flatnonzero(is_new)  # (G,)
    ordered = weights[:, order]
    is_positive = positive[order]
    positives = np.add.reduceat(ordered * is_positive, first, axis=1)
    negatives = np.add.reduceat(ordered * ~is_positive, first, axis=1)
    return positives, negatives


def auroc(positives: np.ndarray, negatives: np.ndarray) -> np.ndarray:
    """Compute the area under the ROC curve (R,) from `ranks`.

    It is the share of (positive, negative) pairs in which the positive has the larger value, ties
    counted half: Mann-Whitney's U over the number of pairs. Hanley and McNeil (1982), Radiology
    143. NaN without positives or without negatives.
    """
    below = np.cumsum(negatives, axis=1) - negatives
    correct = (positives * (below + negatives / 2)).sum(1)
    return ratio(correct, positives.sum(1) * negatives.sum(1))


def auprc(positives: np.ndarray, negatives: np.ndarray) -> np.ndarray:
    """Compute the average precision (R,) from `ranks`; NaN without positives.

    It is the sum of precision × step in recall.
    """
    found = np.cumsum(positives[:, ::-1], axis=1)[:, ::-1]  # at this value and above
    false = np.cumsum(negatives[:, ::-1], axis=1)[:, ::-1]
    precision = ratio(found, found + false)
    precision = np.nan_to_num(precision)  # without calls there is no step in recall either
    return ratio((positives * precision).sum(1), positives.sum(1))


def bins(values: np.ndarray) -> np.ndarray:
    """Return the calibration bin 0..BINS-1 of each probability; 1.0 is in the last."""
    return np.minimum((values * BINS).astype(np.int64), BINS - 1)


def ratio(numerator: ArrayLike, denominator: ArrayLike) -> np.ndarray:
    """Divide, with NaN where the denominator is 0."""
    above, below = np.broadcast_arrays(numerator, denominator)
    undefined = np.full(above.shape, np.nan)
    return np.divide(above, below, out=undefined, where=below != 0)


def _brier(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return the squared error of each case (N,): of the disease, or summed over more classes."""
    classes = probabilities.shape[1]
    errors = (probabilities - np.eye(classes)[labels]) ** 2  # (N, C)
    return errors[:, 1] if classes == 2 else errors.sum(1)


def _log_loss(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return -ln of the true class's probability, (N,), in nats."""
    true = probabilities[np.arange(len(labels)), labels]
    return -np.log(np.maximum(true, LEAST_PROBABILITY))


def _calibration_error(positive: np.ndarray, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Compute the expected calibration error (R,).

    It is |mean probability - observed share| of each bin, weighted by its cases. Naeini, Cooper
    and Hauskrecht (2015), Obtaining well calibrated probabilities using Bayesian binning.
    """
    member = np.eye(BINS)[bins(values)]  # (N, BINS)
    gaps = member * (values - positive)[:, None]
    return ratio(np.abs(weights @ gaps).sum(1), weights.sum(1))
