"""Baselines that a model must beat: the majority class, lesion size alone, covariates alone."""

import numpy as np
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from graft.data.covariates import regress


def majority(labels: np.ndarray, cases: int, classes: int) -> np.ndarray:
    """Predict the share of each class among the training labels: (N, C)."""
    shares = np.bincount(labels, minlength=classes) / len(labels)
    return np.tile(shares, (cases, 1))


def size_alone(
    training_sizes: np.ndarray,
    labels: np.ndarray,
    sizes: np.ndarray,
    classes: int,
) -> np.ndarray:
    """Predict by logistic regression on the logarithm of the lesion's size.

    If the training part has only one class, this is `majority`.

    Args:
        training_sizes: (T,) sizes of the training part, in any unit. A size of 0 counts as the
            smallest size above 0.
        labels: (T,) class codes of the training part.
        sizes: (N,) sizes to predict from, in the same unit.
        classes: C; a class without a training case gets the probability 0.

    Returns:
        Probabilities (N, C).
    """
    if len(np.unique(labels)) < 2:
        return majority(labels, len(sizes), classes)
    positive = training_sizes[training_sizes > 0]
    smallest = positive.min() if len(positive) else 1.0
    model = make_pipeline(StandardScaler(), LogisticRegression())
    model.fit(_log(training_sizes, smallest), labels)
    probabilities = np.zeros((len(sizes), classes))
    probabilities[:, model[-1].classes_] = model.predict_proba(_log(sizes, smallest))
    return probabilities


def covariates_only(
    training_covariates: np.ndarray,
    labels: np.ndarray,
    covariates: np.ndarray,
    classes: int,
) -> np.ndarray:
    """Predict by logistic regression on the covariates as numbers, with balanced classes.

    Args:
        training_covariates: (T, K) of the training part, from `graft.data.covariates.Encoding`.
        labels: (T,) class codes of the training part.
        covariates: (N, K) to predict from.
        classes: C; if one has no training case, all classes are equally probable.

    Returns:
        Probabilities (N, C).
    """
    weights, bias = regress(training_covariates, labels, classes, balanced=True)
    return softmax(covariates @ weights.T + bias, axis=1)


def _log(sizes: np.ndarray, smallest: float) -> np.ndarray:
    return np.log(np.where(sizes > 0, sizes, smallest))[:, None]  # (N, 1)
