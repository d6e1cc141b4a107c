"""What is refused, with a network of fresh weights."""

import numpy as np
import pytest

from benchmarks.refusal import COLUMNS, HEAD, Detectors, Inputs
from benchmarks.unknown_inputs import corrupted
from graft.networks.build import build_network
from graft.networks.saved import Model

PATCH = [8, 8, 8]


@pytest.fixture(scope="module")
def model() -> Model:
    network = build_network(
        name="resnet", patch=PATCH, channels=1, classes=2, width=8, seed=0
    ).eval()
    return Model({"classes": ["a", "b"], "shares": [1.0]}, [network])


def test_inputs_of_another_kind_are_refused_by_every_check(model):
    images = np.random.default_rng(0).random((60, 1, *PATCH)).astype(np.float32)
    known = Inputs(model, images, np.ones((60, 3)))
    detectors = Detectors(known, np.arange(40), np.arange(60) // 2)
    familiar = dict(detectors.refuse(known, np.arange(40, 60)))
    assert set(familiar) == set(COLUMNS)
    assert max(familiar.values()) <= 0.1
    black = Inputs(model, np.zeros_like(images), np.full((60, 3), 5.0))
    found = dict(detectors.refuse(black, np.arange(60)))
    found.pop(HEAD)  # these features ignore a constant
    assert set(found.values()) == {1.0}


def test_corruptions_have_a_name_each():
    found = dict(corrupted(np.full((2, 1, *PATCH), 0.5, np.float32), [1.0, 1.0, 1.0]))
    assert len(found) == 15
    assert "slice thickness 3 mm" in found
