"""Linear probe: a logistic regression on the features of the frozen pretrained network.

It shows what the pretrained features give without fine-tuning.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from graft.data.domain import Domain
from graft.data.task import Samples, Task, take_samples
from graft.networks.classifier import Classifier
from graft.networks.features import extract_features
from graft.transfer.start import Start

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

STRENGTHS = (0.0001, 0.001, 0.01, 0.1, 1.0, 10.0)  # C: a smaller one is a stronger L2 penalty
ITERATIONS = 1000  # of a regression, at most
LOSS_DECIMALS = 9  # equal losses may differ in their last bits


def predict_by_linear_probe(
    start: Start, task: Task, domain: Domain, wanted: Sequence[np.ndarray], class_weights: str
) -> list[np.ndarray]:
    """Predict some rows of a domain by a linear probe.

    The features and the covariates are standardised by the training part. C is the one of
    STRENGTHS with the lowest log loss on the validation part. Of equal ones it is the strongest
    penalty. Nothing is drawn at random.

    Args:
        start: the pretrained network.
        task: what the regression is fitted to, and what C is chosen by.
        domain: that the rows belong to.
        wanted: arrays of N rows each.
        class_weights: "balanced" or "none".

    Returns:
        Probabilities (N, classes) for each element of `wanted`.
    """
    network = start.network.eval()
    classes = len(domain.classes)
    regression = _best_regression(network, task, classes, class_weights)
    device = task.train.labels.device
    predictions = []
    for rows in wanted:
        samples = take_samples(domain, rows, task.encoding, device)
        inputs = _inputs(network, samples)
        predictions.append(_all_classes(regression, inputs, classes))
    return predictions


def _best_regression(
    network: Classifier, task: Task, classes: int, class_weights: str
) -> "Pipeline":
    """Fit a regression for each of STRENGTHS, and return the best one."""
    from sklearn.linear_model import LogisticRegression  # late: it takes a second
    from sklearn.metrics import log_loss
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    train = _inputs(network, task.train)
    validation = _inputs(network, task.validation)
    labels = task.train.labels.cpu().numpy()
    validation_labels = task.validation.labels.cpu().numpy()
    weights = "balanced" if class_weights == "balanced" else None
    fits = []
    losses = []
    for strength in STRENGTHS:
        regression = LogisticRegression(C=strength, class_weight=weights, max_iter=ITERATIONS)
        fit = make_pipeline(StandardScaler(), regression).fit(train, labels)
        probabilities = _all_classes(fit, validation, classes)
        losses.append(log_loss(validation_labels, probabilities, labels=range(classes)))
        fits.append(fit)
    best = np.argmin(np.round(losses, LOSS_DECIMALS))
    return fits[int(best)]


def _inputs(network: Classifier, samples: Samples) -> np.ndarray:
    """The inputs of the last layer of a network, with the covariates last: (N, F) float64."""
    features = extract_features(network, samples.images)
    if samples.covariates is None:
        return features
    return np.concatenate([features, samples.covariates.double().cpu().numpy()], axis=1)


def _all_classes(regression: "Pipeline", inputs: np.ndarray, classes: int) -> np.ndarray:
    """Probabilities (N, classes), 0 for a class that the training part lacks."""
    probabilities = np.zeros((len(inputs), classes))
    probabilities[:, regression.classes_] = regression.predict_proba(inputs)
    return probabilities
