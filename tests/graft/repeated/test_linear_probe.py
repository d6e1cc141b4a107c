import numpy as np
import pandas as pd
import pytest
import torch

from graft.data.domain import Domain
from graft.data.task import make_task
from graft.networks.build import build_network
from graft.repeated import linear_probe
from graft.transfer.start import Start

CLASSES = ["benign", "malignant"]


@pytest.fixture
def domain():
    """24 planes of 8 × 8. The malignant ones are brighter on the left; the age is irrelevant."""
    label = np.arange(24) % 2
    images = np.random.default_rng(0).random((24, 1, 8, 8)) / 2
    images[label == 1, :, :, :4] += 0.4
    patients = [f"p{i}" for i in range(24)]
    index = pd.DataFrame({"patient": patients, "label": np.array(CLASSES)[label]})
    ages = pd.DataFrame({"age": np.arange(24).astype(str)})
    return Domain("liver", images.astype(np.float16), index, CLASSES, {}, {"age": "number"}, ages)


def start(covariates):
    shape = {
        "name": "resnet",
        "patch": [8, 8],
        "channels": 1,
        "classes": 2,
        "width": 8,
        "covariates": covariates,
    }
    return Start(build_network(**shape, seed=0), shape)


@pytest.fixture
def task(domain):
    return make_task(domain, np.arange(12), np.arange(12, 18), torch.device("cpu"))


def test_inputs_are_the_features_of_the_head_and_the_covariates(task):
    initial = start(task.encoding.width)
    inputs = linear_probe._inputs(initial.network, task.train)
    assert inputs.shape == (12, 32 + task.encoding.width)
    assert np.allclose(inputs[:, 32:], task.train.covariates)
    head = initial.network.head
    weight = head.weight.detach().double().numpy()
    bias = head.bias.detach().numpy()
    with torch.no_grad():
        logits = initial.network.eval()(
            task.train.on_device().images.float(), task.train.covariates
        )
    assert np.allclose(inputs @ weight.T + bias, logits, atol=1e-5)


def test_the_probe_predicts_bright_lesions_and_gives_the_same_probabilities_twice(domain, task):
    parts = [np.arange(18, 24), np.arange(12, 18)]

    def predict():
        initial = start(task.encoding.width)
        return linear_probe.predict_by_linear_probe(initial, task, domain, parts, "balanced")

    found = predict()
    again = predict()
    assert len(found) == len(parts)
    for probabilities, same in zip(found, again, strict=True):
        assert np.array_equal(probabilities, same)
    for probabilities, rows in zip(found, parts, strict=True):
        assert probabilities.sum(1) == pytest.approx(np.ones(6))
        is_right = probabilities.argmax(1) == rows % 2
        assert is_right.sum() >= 5
