"""Which head a network for the target starts with."""

import numpy as np
import pandas as pd
import pytest
import torch

from graft.common.files import InputError
from graft.config.parameters import load_parameters
from graft.data.domain import Domain
from graft.data.task import Task, make_task
from graft.networks.build import build_network
from graft.networks.saved import Model
from graft.transfer.settings import Finetune
from graft.transfer.start import Start, start_from_source
from tests.small_target import ROOT, SHAPE

CPU = torch.device("cpu")
CLASSES = ["benign", "malignant"]


@pytest.fixture(scope="module")
def recipe() -> Finetune:
    return load_parameters(ROOT / "params.yaml").finetune


def make_target(classes: list[str], age: str = "") -> Task:
    """Eight planes of 8 × 8, with an age if it is not empty."""
    label = np.array(classes)[np.arange(8) % len(classes)]
    index = pd.DataFrame({"patient": [f"p{i}" for i in range(8)], "label": label})
    images = np.random.default_rng(0).random((8, 1, 8, 8)).astype(np.float16)
    kinds, ages = {"age": "number"} if age else {}, pd.DataFrame({"age": [age] * 8})
    domain = Domain("liver", images, index, classes, {}, kinds, ages if age else None)
    return make_task(domain, np.arange(6), np.arange(6, 8), CPU)


def start(target: Task, recipe: Finetune, head: str, classes: list[str] = CLASSES) -> Start:
    """Start from a source with these classes and without covariates."""
    network = build_network(**{**SHAPE, "classes": max(1, len(classes))}, seed=7)
    source = Model({"architecture": SHAPE, "classes": classes, "shares": [1.0]}, [network])
    return start_from_source(source, target, recipe.model_copy(update={"head": head}), 0.1, 1, CPU)


def test_auto_keeps_the_head_if_classes_and_covariates_are_the_same(recipe):
    found = start(make_target(CLASSES), recipe, "auto")
    assert found.head == "pretrained"
    source = build_network(**SHAPE, seed=7)
    assert torch.equal(found.network.head.weight, source.head.weight)
    assert "head.weight" in found.pull.reference


@pytest.mark.parametrize(
    ("target", "classes"),
    [
        (make_target(CLASSES), ["cyst", "malignant"]),
        (make_target(CLASSES), CLASSES[::-1]),
        (make_target([*CLASSES, "other"]), CLASSES),
        (make_target(CLASSES, age="40"), CLASSES),
        (make_target(CLASSES), []),  # published weights
    ],
)
def test_auto_asks_for_a_probe_if_anything_differs(recipe, target, classes):
    found = start(target, recipe, "auto", classes)
    assert found.head == "probe"
    assert found.carried.new == ["head.bias", "head.weight"]
    assert not [name for name in found.pull.reference if name.startswith("head")]


def test_new_and_pretrained_are_taken_literally(recipe):
    assert start(make_target(CLASSES), recipe, "new").head == "new"
    assert start(make_target(CLASSES), recipe, "pretrained", ["no", "yes"]).head == "pretrained"
    with pytest.raises(InputError, match="head: auto"):
        start(make_target([*CLASSES, "other"]), recipe, "pretrained")
