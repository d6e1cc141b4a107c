from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from graft.common.files import InputError
from graft.data.domain import Domain
from graft.data.task import Task, make_task
from graft.networks.build import build_network
from graft.networks.classifier import Classifier
from graft.networks.features import extract_features
from graft.strategies import linear_probe
from graft.training.loop import logits

CLASSES = ["benign", "malignant"]
CPU = torch.device("cpu")
TRAIN, VALIDATION, OTHERS = np.arange(12), np.arange(12, 18), np.arange(18, 24)


def make_domain(classes: int) -> Domain:
    """24 planes of 8 × 8. Later classes are brighter on the left; the age is irrelevant."""
    label = np.arange(24) % classes
    images = np.random.default_rng(0).random((24, 1, 8, 8)) / 2
    images[:, :, :, :4] += 0.4 * label[:, None, None, None] / (classes - 1)
    names = [*CLASSES, "other"][:classes]
    patients = [f"p{i}" for i in range(24)]
    index = pd.DataFrame({"patient": patients, "label": np.array(names)[label]})
    ages = pd.DataFrame({"age": np.arange(24).astype(str)})
    return Domain("liver", images.astype(np.float16), index, names, {}, {"age": "number"}, ages)


def make_probe_task(classes: int = 2) -> Task:
    return make_task(make_domain(classes), TRAIN, VALIDATION, CPU)


def without_validation(task: Task) -> Task:
    """The task without validation rows, as `make_task` makes it if there are none."""
    return make_task(task.domain, TRAIN, TRAIN[:0], CPU)


def make_network(task: Task) -> Classifier:
    shape = {"patch": (8, 8), "channels": 1, "classes": len(task.domain.classes), "width": 8}
    return build_network("resnet", **shape, seed=0, covariates=task.encoding.width)


def fitted(task: Task, balance: str = "balanced") -> Classifier:
    """A network with fixed random weights whose head is a probe."""
    network = make_network(task)
    linear_probe.fit_probe(network, task, balance)
    return network


def numbers(network: Classifier, samples) -> np.ndarray:
    features = extract_features(network, samples.images)
    return np.concatenate([features, samples.covariates.numpy()], 1)


def regression(task: Task, network: Classifier, strength: float, balance: str | None):
    """The probe as scikit-learn's pipeline gives it."""
    model = LogisticRegression(C=strength, class_weight=balance, max_iter=1000)
    pipeline = make_pipeline(StandardScaler(), model)
    return pipeline.fit(numbers(network, task.train), task.train.labels.numpy())


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("balance", ["balanced", "none"])
def test_the_network_predicts_as_the_regression_with_the_best_strength(classes, balance):
    task = make_probe_task(classes)
    network = fitted(task, balance)
    labels = task.train.labels.numpy()
    weights = {code: 12 / (classes * n) for code, n in enumerate(np.bincount(labels))}
    held_out = task.validation.labels.numpy()
    losses, probabilities = [], []
    for strength in linear_probe.STRENGTHS:
        fit = regression(task, network, strength, balance if balance == "balanced" else None)
        predicted = fit.predict_proba(numbers(network, task.validation))
        each = [weights[code] if balance == "balanced" else 1 for code in held_out]
        losses.append(log_loss(held_out, predicted, sample_weight=each, labels=range(classes)))
        probabilities.append(predicted)
    with torch.no_grad():
        found = logits(network, task.validation).softmax(1).numpy()
    assert np.allclose(found, probabilities[int(np.argmin(losses))], atol=1e-4)


def test_the_probe_predicts_bright_lesions_and_is_the_same_twice():
    task = make_probe_task()
    network, again = fitted(task), fitted(task)
    assert torch.equal(network.head.weight, again.head.weight)
    with torch.no_grad():
        right = logits(network, task.validation).argmax(1) == task.validation.labels
    assert right.sum() >= 5


def test_the_body_does_not_change():
    task = make_probe_task()
    fresh = make_network(task)
    for mine, theirs in zip(fitted(task).body.parameters(), fresh.body.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_without_validation_the_strength_comes_from_folds_of_patients():
    task = without_validation(make_probe_task())
    network = fitted(task)
    labels = task.train.labels.numpy()
    # By hand: benign p0, p10, p2, ... then malignant p1, p11, ..., dealt to five folds.
    order = sorted(range(12), key=lambda row: (labels[row], f"p{row}"))
    fold = np.empty(12, int)
    fold[order] = np.arange(12) % 5
    inputs = numbers(network, task.train)
    losses = []
    for strength in linear_probe.STRENGTHS:
        predicted = np.empty((12, 2))
        for k in range(5):
            model = LogisticRegression(C=strength, max_iter=1000)
            fit = make_pipeline(StandardScaler(), model).fit(inputs[fold != k], labels[fold != k])
            predicted[fold == k] = fit.predict_proba(inputs[fold == k])
        losses.append(log_loss(labels, predicted))
    best = linear_probe.STRENGTHS[int(np.argmin(losses))]
    expected = regression(task, network, best, None).predict_proba(inputs)
    with torch.no_grad():
        found = logits(network, task.train).softmax(1).numpy()
    assert np.allclose(found, expected, atol=1e-4)


def relabelled(task: Task, labels: torch.Tensor) -> Task:
    return replace(task, train=replace(task.train, labels=labels))


def test_a_class_without_a_case_is_improbable_and_one_class_alone_gives_equal_logits():
    task = make_probe_task(3)
    lacking = relabelled(task, task.train.labels.clamp(max=1))
    alone = relabelled(task, task.train.labels * 0)
    with torch.no_grad():
        probabilities = logits(fitted(lacking), task.validation).softmax(1)
        equal = logits(fitted(alone), task.validation)
    assert probabilities[:, 2].max() < 0.001
    assert (equal == 0).all()


def test_one_patient_is_enough_for_a_probe_with_the_strongest_penalty():
    task = without_validation(make_probe_task())
    one = replace(task, train=replace(task.train, patients=np.array(["a"] * 12)))
    network = fitted(one)
    expected = regression(task, network, linear_probe.STRENGTHS[0], None)
    with torch.no_grad():
        found = logits(network, task.train).softmax(1).numpy()
    assert np.allclose(found, expected.predict_proba(numbers(network, task.train)), atol=1e-4)


def test_features_that_are_no_numbers_are_one_line():
    task = make_probe_task()
    network = make_network(task)
    with torch.no_grad():
        network.body.blocks[1].conv2.weight.fill_(1e38)
        network.body.blocks[1].norm2.weight.fill_(1e38)
    with pytest.raises(InputError, match="NaN or infinite") as caught:
        linear_probe.fit_probe(network, task, "balanced")
    assert "\n" not in str(caught.value)
