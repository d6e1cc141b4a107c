"""Which weights and which head a network starts with."""

import numpy as np
import pandas as pd
import pytest
import torch

from graft.common.files import InputError
from graft.config.parameters import load_parameters
from graft.data.covariates import fit_encoding
from graft.data.domain import Domain
from graft.data.task import Task, make_task
from graft.networks.build import build_network
from graft.networks.reference import ModelReference
from graft.networks.saved import Model, save_model
from graft.networks.settings import Network
from graft.transfer.carry import restandardise_head
from graft.transfer.settings import Finetune
from graft.transfer.start import Start, start_from_body, start_from_scratch, start_from_source
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


def test_a_kept_head_predicts_the_same_from_covariates_with_another_mean(recipe):
    """The source standardised the age by its own training part."""
    table = pd.DataFrame({"age": ["30", "40", "71", ""], "sex": ["m", "f", "", "m"]})
    kinds = {"age": "number", "sex": "category"}
    of_source = fit_encoding(table, kinds, "lung")
    of_target = fit_encoding(table.assign(age=["50", "52", "", "60"]), kinds, "liver")
    assert of_source.columns != of_target.columns
    network = build_network(**SHAPE, seed=7, covariates=of_source.width)
    torch.nn.init.normal_(network.head.weight, generator=torch.Generator().manual_seed(1))
    images = torch.zeros(4, 1, 8, 8)
    with torch.no_grad():
        expected = network(images, torch.from_numpy(of_source.encode(table)))
        restandardise_head(network, of_source, of_target)
        found = network(images, torch.from_numpy(of_target.encode(table)))
    assert torch.allclose(found, expected, atol=1e-5)


def test_a_kept_head_is_restandardised(recipe):
    source, target = make_target(CLASSES, age="40"), make_target(CLASSES, age="50")
    architecture = {**SHAPE, "covariates": source.encoding.width}
    network = build_network(**architecture, seed=7)
    torch.nn.init.ones_(network.head.weight)
    columns = list(source.encoding.columns)
    card = {"architecture": architecture, "classes": CLASSES, "covariates": columns}
    found = start_from_source(Model(card, [network]), target, recipe, 0.1, 1, CPU)
    moved = found.network.head.bias - network.head.bias
    assert torch.allclose(moved, torch.full((2,), 10.0))  # both have the deviation 1
    assert torch.equal(found.pull.reference["head.bias"], found.network.head.bias)


def test_a_body_that_learned_without_labels_is_taken_without_its_head(tmp_path):
    body = build_network(**SHAPE, seed=7)
    save_model(tmp_path, [body], {"architecture": SHAPE, "classes": []})
    task, network = make_target(CLASSES), Network(name="resnet", width=8)
    reference = ModelReference.to(tmp_path)
    found = start_from_body(network, reference, task, 1, CPU)
    fresh = start_from_scratch(network, task, 1, CPU)
    assert torch.equal(found.network.body.stem.weight, body.body.stem.weight)
    assert torch.equal(found.network.head.weight, fresh.network.head.weight)
    assert found.carried.new == ["head.bias", "head.weight"]
    assert found.pull is None
    without = start_from_body(network, None, task, 1, CPU)
    assert torch.equal(without.network.body.stem.weight, fresh.network.body.stem.weight)


def test_a_body_of_another_network_is_refused(tmp_path):
    save_model(tmp_path, [build_network(**SHAPE, seed=7)], {"architecture": SHAPE, "classes": []})
    wider = Network(name="resnet", width=16)
    with pytest.raises(InputError, match="tensors do not fit the target network"):
        start_from_body(wider, ModelReference.to(tmp_path), make_target(CLASSES), 1, CPU)
