"""The baselines that a model must beat: the majority class, the size of the lesion alone, the covariates alone."""

import numpy as np
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from graft.data.covariates import regress


def majority(training: np.ndarray, cases: int, classes: int) -> np.ndarray:
    """Probabilities (N, C) of one who knows only how common each class was among the training labels."""
    shares = np.bincount(training, minlength=classes) / len(training)
    return np.tile(shares, (cases, 1))


def size_alone(
    training_sizes: np.ndarray, training: np.ndarray, sizes: np.ndarray, classes: int
) -> np.ndarray:
    """Probabilities (N, C) by logistic regression on the logarithm of the lesion's size.

    Args:
        training_sizes: (T,) sizes of the training part, any unit; one of 0 counts as the smallest above 0.
        training: (T,) class codes of the training part.
        sizes: (N,) sizes to be judged, in the same unit.
        classes: C; a class without a training case gets probability 0.

    Where the training part has one class only, this is `majority`.
    """
    if len(np.unique(training)) < 2:
        return majority(training, len(sizes), classes)
    above = training_sizes[training_sizes > 0]
    smallest = above.min() if len(above) else 1.0
    model = make_pipeline(StandardScaler(), LogisticRegression())
    model.fit(_log(training_sizes, smallest), training)
    probabilities = np.zeros((len(sizes), classes))
    probabilities[:, model[-1].classes_] = model.predict_proba(_log(sizes, smallest))
    return probabilities


def covariates_only(
    training_covariates: np.ndarray, training: np.ndarray, covariates: np.ndarray, classes: int
) -> np.ndarray:
    """Probabilities (N, C) by logistic regression on the covariates as numbers, classes counted alike.

    Args:
        training_covariates: (T, K) of the training part, as `graft.data.covariates.Encoding` gives them.
        training: (T,) class codes of the training part.
        covariates: (N, K) to be judged.
        classes: C; where one has no training case, all are equally likely.
    """
    weights, bias = regress(training_covariates, training, classes, balanced=True)
    return softmax(covariates @ weights.T + bias, axis=1)


def _log(sizes: np.ndarray, smallest: float) -> np.ndarray:
    return np.log(np.where(sizes > 0, sizes, smallest))[:, None]  # (N, 1)
