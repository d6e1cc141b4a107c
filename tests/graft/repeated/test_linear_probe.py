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
    index = pd.DataFrame(
        {"patient": [f"p{i}" for i in range(24)], "label": np.array(CLASSES)[label]}
    )
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


def test_features_are_what_the_head_reads_and_the_covariates(domain):
    task = make_task(domain, np.arange(12), np.arange(12, 18), torch.device("cpu"))
    began = start(task.encoding.width)
    found = linear_probe._inputs(began.network, task.train)
    assert found.shape == (12, 32 + task.encoding.width)
    assert np.allclose(found[:, 32:], task.train.covariates)
    head = began.network.head
    with torch.no_grad():
        logits = began.network.eval()(task.train.images.float(), task.train.covariates)
    assert np.allclose(
        found @ head.weight.detach().double().numpy().T + head.bias.detach().numpy(),
        logits,
        atol=1e-5,
    )


def test_the_same_probabilities_twice_and_they_find_what_the_features_show(domain):
    task = make_task(domain, np.arange(12), np.arange(12, 18), torch.device("cpu"))
    rows = [np.arange(18, 24), np.arange(12, 18)]
    one, other = (
        linear_probe.predict_by_linear_probe(
            start(task.encoding.width), task, domain, rows, "balanced"
        )
        for _ in range(2)
    )
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    for said, asked in zip(one, rows, strict=True):
        assert said.sum(1) == pytest.approx(np.ones(6))
        assert (said.argmax(1) == asked % 2).sum() >= 5
