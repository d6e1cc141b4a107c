"""Frozen features: the pretrained network as it is, and a logistic regression on what it makes of an image.

What transfer would be without training the network: where it does as well, the rest of finetune is not needed.
"""

from collections.abc import Iterable

import numpy as np
from torch import nn

from graft.data.domain import Domain
from graft.data.task import Samples, Task, take_samples
from graft.networks.features import features
from graft.transfer.start import Start

STRENGTHS = (
    0.0001,
    0.001,
    0.01,
    0.1,
    1.0,
    10.0,
)  # C, the inverse of the L2 penalty, strictest first
ITERATIONS = 1000  # of a regression at most
LOSS_DECIMALS = 9  # equal losses must tie, whatever their last bit


def predict_by_linear_probe(
    start: Start, task: Task, domain: Domain, asked: Iterable[np.ndarray], class_weights: str
) -> list[np.ndarray]:
    """Probabilities (N, classes) of rows of the domain, one array for each of `asked`.

    The features of the last layer, the covariates among them, are standardised by the training part. C is the one of
    STRENGTHS with the least log loss on the validation part, of equal ones the strictest. Nothing is drawn at random.
    """
    from sklearn.linear_model import LogisticRegression  # late: it takes a second
    from sklearn.metrics import log_loss
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    network, name = start.network.eval(), start.architecture["name"]
    train, validation = (_features(network, name, found) for found in (task.train, task.validation))
    labels, checked = (found.labels.cpu().numpy() for found in (task.train, task.validation))
    weights = "balanced" if class_weights == "balanced" else None
    classes = len(domain.classes)
    fits, losses = [], []
    for strength in STRENGTHS:
        regression = LogisticRegression(C=strength, class_weight=weights, max_iter=ITERATIONS)
        fits.append(make_pipeline(StandardScaler(), regression).fit(train, labels))
        losses.append(
            log_loss(checked, _all_classes(fits[-1], validation, classes), labels=range(classes))
        )
    best = fits[int(np.argmin(np.round(losses, LOSS_DECIMALS)))]
    device = task.train.labels.device
    found = (
        _features(network, name, take_samples(domain, rows, task.encoding, device))
        for rows in asked
    )
    return [_all_classes(best, each, classes) for each in found]


def _features(network: nn.Module, name: str, samples: Samples) -> np.ndarray:
    """What the last layer of a network of the architecture `name` reads, the covariates last: (N, F) float64."""
    known = [found.double().cpu().numpy() for found in samples.known(slice(None))]
    return np.concatenate([features(network, name, samples.images), *known], axis=1)


def _all_classes(fitted: object, found: np.ndarray, classes: int) -> np.ndarray:
    """Probabilities (N, classes): 0 of a class that the training part lacks."""
    said = np.zeros((len(found), classes))
    said[:, fitted.classes_] = fitted.predict_proba(found)
    return said
