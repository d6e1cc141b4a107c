"""Scores of a diagnosis model, each over R weightings of the same N cases at once.

A bootstrap resample is a weighting: a case drawn twice weighs 2, one left out weighs 0. A plain
score is the one weighting with ones, so that a point value and its interval come from one formula.
"""

import numpy as np

BINS = 10  # of equal width over [0, 1], for the calibration error and its curve
LEAST_PROBABILITY = float(
    np.finfo(np.float64).eps
)  # log loss of a certain and wrong call stays finite
THRESHOLD_DECIMALS = 6
PROBABILITY_DECIMALS = 8  # as in predictions.csv, so that every score can be computed from it
PER_CLASS = ("recall", "specificity", "precision", "f1")
CALIBRATION = (
    "brier",
    "log_loss",
    "ece",
)  # those that say how far probabilities can be taken at their word
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
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray, threshold: float | None
) -> dict:
    """Every score of HEADLINE.

    With two classes they are those of the disease, which is the last class. With more they are the
    plain mean over the classes, each against the rest; accuracy and log loss are what they always
    are, and the Brier score is the sum over the classes (as in scikit-learn).

    Args:
        labels: (N,) class codes 0..C-1.
        probabilities: (N, C), rows that sum to 1.
        weights: (R, N), 0 or more.
        threshold: of the disease's probability, see `choose_threshold`; None calls the likeliest class.

    Returns:
        A name -> (R,) table; NaN where a score is not defined, as AUROC with one class.
    """
    classes = probabilities.shape[1]
    matrix = confusion(labels, call(probabilities, threshold), weights, classes)  # (R, C, C)
    shares = per_class(matrix)
    mean = {name: values[:, sought(classes)].mean(1) for name, values in shares.items()}
    total = weights.sum(1)
    ranked = [ranks(labels == code, probabilities[:, code], weights) for code in sought(classes)]
    return {
        "auroc": np.mean([auroc(*rank) for rank in ranked], axis=0),
        "auprc": np.mean([auprc(*rank) for rank in ranked], axis=0),
        "accuracy": ratio(np.trace(matrix, axis1=1, axis2=2), total),
        "balanced_accuracy": shares["recall"].mean(1),
        "sensitivity": mean["recall"],
        "specificity": mean["specificity"],
        "precision": mean["precision"],
        "f1": mean["f1"],
        **calibration_scores(labels, probabilities, weights),
    }


def calibration_scores(labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> dict:
    """The scores of CALIBRATION, as `score` gives them: a name -> (R,) table."""
    total, classes = weights.sum(1), sought(probabilities.shape[1])
    return {
        "brier": ratio(weights @ _brier(labels, probabilities), total),
        "log_loss": ratio(weights @ _log_loss(labels, probabilities), total),
        "ece": np.mean(
            [_ece(labels == code, probabilities[:, code], weights) for code in classes], axis=0
        ),
    }


def sought(classes: int) -> list[int]:
    """The classes that a score is the mean over: of two the disease, of more each."""
    return [1] if classes == 2 else list(range(classes))


def call(probabilities: np.ndarray, threshold: float | None) -> np.ndarray:
    """The class code called for each row of (N, C): the disease from `threshold` on, or the likeliest for None."""
    return (
        probabilities.argmax(1)
        if threshold is None
        else (probabilities[:, 1] >= threshold).astype(np.int64)
    )


def choose_threshold(labels: np.ndarray, probabilities: np.ndarray) -> float | None:
    """The threshold with the best balanced accuracy, that is with the largest Youden index.

    Candidates are 0.5 and the middles between neighbouring probabilities; of equally good ones the
    nearest to 0.5 is taken, and 0.5 itself where a class has no case. Show it the validation part
    and no other.

    Youden (1950), Index for rating diagnostic tests. With more than two classes there is none: None.
    """
    if probabilities.shape[1] > 2:
        return None
    if len(np.unique(labels)) < 2:
        return 0.5
    found = np.unique(probabilities[:, 1])
    candidates = np.unique(np.append((found[1:] + found[:-1]) / 2, 0.5).round(THRESHOLD_DECIMALS))
    diseased, healthy = (
        np.sort(probabilities[labels == 1, 1]),
        np.sort(probabilities[labels == 0, 1]),
    )
    sensitivity = 1 - np.searchsorted(diseased, candidates) / len(diseased)
    specificity = np.searchsorted(healthy, candidates) / len(healthy)
    youden = (sensitivity + specificity).round(
        12
    )  # equal fractions must tie, whatever their last bit
    best = candidates[youden == youden.max()]
    return float(best[np.abs(best - 0.5).argmin()])


def confusion(
    labels: np.ndarray, called: np.ndarray, weights: np.ndarray, classes: int
) -> np.ndarray:
    """Weight of each (true class, called class): (R, C, C)."""
    cells = np.eye(classes * classes)[labels * classes + called]  # (N, C * C)
    return (weights @ cells).reshape(-1, classes, classes)


def per_class(matrix: np.ndarray) -> dict[str, np.ndarray]:
    """The scores of PER_CLASS, each class against the rest, from (R, C, C) to (R, C); NaN where not defined."""
    hits = np.diagonal(matrix, axis1=1, axis2=2)
    present, called, total = matrix.sum(2), matrix.sum(1), matrix.sum((1, 2))[:, None]
    return {
        "recall": ratio(hits, present),
        "specificity": ratio(total - present - called + hits, total - present),
        "precision": ratio(hits, called),
        "f1": ratio(2 * hits, present + called),
    }


def ranks(
    positive: np.ndarray, values: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Weight of the positive and of the negative cases at each of the G distinct values, lowest first: (R, G) twice."""
    order = np.argsort(values, kind="stable")
    first = np.flatnonzero(
        np.append(True, np.diff(values[order]) > 0)
    )  # (G,) where a new value begins
    ordered, is_positive = weights[:, order], positive[order]
    return (
        np.add.reduceat(ordered * is_positive, first, axis=1),
        np.add.reduceat(ordered * ~is_positive, first, axis=1),
    )


def auroc(positives: np.ndarray, negatives: np.ndarray) -> np.ndarray:
    """Area under the ROC curve from `ranks`: (R,); NaN without positives or without negatives.

    The share of (positive, negative) pairs in which the positive has the larger value, ties counted
    half: Mann-Whitney's U over the number of pairs. Hanley and McNeil (1982), Radiology 143.
    """
    below = np.cumsum(negatives, axis=1) - negatives
    won = (positives * (below + negatives / 2)).sum(1)
    return ratio(won, positives.sum(1) * negatives.sum(1))


def auprc(positives: np.ndarray, negatives: np.ndarray) -> np.ndarray:
    """Average precision from `ranks`: (R,), the sum of precision × step in recall; NaN without positives."""
    found = np.cumsum(positives[:, ::-1], axis=1)[:, ::-1]  # at this value and above
    false = np.cumsum(negatives[:, ::-1], axis=1)[:, ::-1]
    precision = np.nan_to_num(
        ratio(found, found + false)
    )  # nobody called yet: no step in recall either
    return ratio((positives * precision).sum(1), positives.sum(1))


def bins(values: np.ndarray) -> np.ndarray:
    """The calibration bin 0..BINS-1 of each probability; 1.0 falls in the last."""
    return np.minimum((values * BINS).astype(np.int64), BINS - 1)


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """The quotient, NaN where the denominator is 0."""
    numerator, denominator = np.broadcast_arrays(numerator, denominator)
    return np.divide(
        numerator, denominator, out=np.full(numerator.shape, np.nan), where=denominator != 0
    )


def _brier(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Squared error of each case (N,): of the disease's probability, or summed over more than two classes."""
    errors = (probabilities - np.eye(probabilities.shape[1])[labels]) ** 2  # (N, C)
    return errors[:, 1] if probabilities.shape[1] == 2 else errors.sum(1)


def _log_loss(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """-ln of the true class's probability, (N,), in nats."""
    return -np.log(np.maximum(probabilities[np.arange(len(labels)), labels], LEAST_PROBABILITY))


def _ece(positive: np.ndarray, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Expected calibration error (R,): |mean probability - observed share| of each bin, weighed by its cases.

    Naeini, Cooper and Hauskrecht (2015), Obtaining well calibrated probabilities using Bayesian binning.
    """
    gaps = np.eye(BINS)[bins(values)] * (values - positive)[:, None]  # (N, BINS)
    return ratio(np.abs(weights @ gaps).sum(1), weights.sum(1))
