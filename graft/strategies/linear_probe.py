"""Linear probe: a logistic regression on the features of a network, as the network's head.

It needs no training of the body, so it is what the features give as they are. It is also a start
for fine-tuning that does not distort them (Kumar et al., "Fine-Tuning can Distort Pretrained
Features and Underperform Out-of-Distribution", ICLR 2022).
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from graft.common.files import InputError
from graft.common.parallel import one_thread
from graft.data.covariates import logits_of_classes
from graft.data.task import Samples, Task
from graft.networks.classifier import Classifier
from graft.networks.features import extract_features
from graft.strategies.inner_folds import inner_folds
from graft.training.loss import class_weights

STRENGTHS = (0.0001, 0.001, 0.01, 0.1, 1.0, 10.0)  # C: a smaller one is a stronger L2 penalty
ITERATIONS = 1000  # of a regression, at most
LOSS_DECIMALS = 9  # equal losses may differ in their last bits
ABSENT = -10.0  # the logit of a class without a case: about 0.00005, which training can raise


@dataclass(frozen=True)
class Inputs:
    """What N cases give a regression: numbers (N, F), class codes, weights and patients (N,)."""

    numbers: np.ndarray
    labels: np.ndarray
    weights: np.ndarray
    patients: np.ndarray

    def take(self, kept: np.ndarray) -> "Inputs":
        """The cases that a mask (N,) keeps."""
        return Inputs(
            self.numbers[kept], self.labels[kept], self.weights[kept], self.patients[kept]
        )


@dataclass(frozen=True)
class Head:
    """Weights (C, F) and a bias (C,), which map the inputs of a head to logits."""

    weights: np.ndarray
    bias: np.ndarray

    def losses(self, inputs: Inputs) -> np.ndarray:
        """The cross-entropy of N cases, each multiplied by its weight: (N,)."""
        logits = torch.from_numpy(inputs.numbers @ self.weights.T + self.bias)  # (N, C)
        losses = F.cross_entropy(logits, torch.from_numpy(inputs.labels), reduction="none")
        return inputs.weights * losses.numpy()


def fit_probe(network: Classifier, task: Task, balance: str) -> None:
    """Set the head of a network to a logistic regression on its features and the covariates.

    These are standardised by the training part, and the standardisation is then part of the
    weights and the bias. C is the one of STRENGTHS with the lowest loss on the validation part,
    or, without one, in a cross-validation over the patients of the training part. Of equal ones
    it is the strongest penalty. Nothing is drawn at random.

    Args:
        network: changes in place.
        task: what the regression is fitted to, and what C is chosen by.
        balance: "balanced" or "none", see `class_weights`.

    Raises:
        InputError: if a feature is NaN or infinite.
    """
    with one_thread():  # so that the last bits do not depend on the number of threads
        head = _best_head(network, task, balance)
    with torch.no_grad():
        network.head.weight.copy_(torch.from_numpy(head.weights))
        network.head.bias.copy_(torch.from_numpy(head.bias))


def _best_head(network: Classifier, task: Task, balance: str) -> Head:
    """The regression with the best of STRENGTHS."""
    classes = len(task.domain.classes)
    weights = class_weights(task, balance).double().cpu().numpy()
    train = _inputs(network, task.train, weights)
    if len(task.validation):
        validation = _inputs(network, task.validation, weights)
        pairs = [(train, validation)]
    else:
        folds = inner_folds(train.labels, train.patients)
        pairs = [(train.take(folds != k), train.take(folds == k)) for k in np.unique(folds)]
    strength = STRENGTHS[0]
    if len(pairs) > 1 or len(task.validation):
        losses = [_mean_loss(pairs, candidate, classes) for candidate in STRENGTHS]
        strength = STRENGTHS[int(np.argmin(np.round(losses, LOSS_DECIMALS)))]
    return _regress(train, strength, classes)


def _inputs(network: Classifier, samples: Samples, weights: np.ndarray) -> Inputs:
    """The inputs of the head of a network, with the covariates last, and the cases' weights."""
    numbers = extract_features(network.eval(), samples.images)  # (N, F) float64
    if samples.covariates is not None:
        covariates = samples.covariates.double().cpu().numpy()
        numbers = np.concatenate([numbers, covariates], axis=1)
    if not np.isfinite(numbers).all():
        raise InputError(
            "finetune: the network of the source gives a feature that is NaN or infinite, expected "
            "numbers, which a linear probe can be fitted to; are its weights too large?"
        )
    labels = samples.labels.cpu().numpy()
    return Inputs(numbers, labels, weights[labels], samples.patients)


def _mean_loss(pairs: list[tuple[Inputs, Inputs]], strength: float, classes: int) -> float:
    """The mean loss of all cases that are held out, each by a regression on the others."""
    losses = []
    weights = []
    for train, held_out in pairs:
        losses.append(_regress(train, strength, classes).losses(held_out))
        weights.append(held_out.weights)
    return float(np.concatenate(losses).sum() / np.concatenate(weights).sum())


def _regress(train: Inputs, strength: float, classes: int) -> Head:
    """Fit a regression to standardised inputs, as the weights of the inputs themselves.

    A class without a case gets the logit ABSENT. With only one class all logits are 0.
    """
    from sklearn.linear_model import LogisticRegression  # late: it takes a second
    from sklearn.preprocessing import StandardScaler

    weights = np.zeros((classes, train.numbers.shape[1]))
    bias = np.zeros(classes)
    present = np.unique(train.labels)
    if len(present) < 2:
        return Head(weights, bias)
    scaler = StandardScaler()
    standardised = scaler.fit_transform(train.numbers)
    regression = LogisticRegression(C=strength, max_iter=ITERATIONS)
    regression.fit(standardised, train.labels, sample_weight=train.weights)
    found, intercept = logits_of_classes(regression.coef_, regression.intercept_)
    weights[present] = found / scaler.scale_
    bias[:] = ABSENT
    bias[present] = intercept - weights[present] @ scaler.mean_
    return Head(weights, bias)
