"""A saved network predicts every task."""

import json

import numpy as np
import pytest
import torch

from graft.common.files import InputError
from graft.multitask.saved import HEADS, load_tasks, save_heads
from graft.networks.saved import load_model, save_model
from tests.graft.multitask.examples import KINDS, multitask
from tests.seals import flip_bit, reseal
from tests.squares import task

SHAPE = {"name": "resnet", "patch": [8, 8], "channels": 1, "classes": 2, "width": 8}


@pytest.fixture
def folder(tmp_path):
    """A model with heads that are not 0."""
    network = multitask().network
    torch.manual_seed(0)
    for parameter in network.heads.parameters():
        torch.nn.init.normal_(parameter)
    entry = save_heads(tmp_path, network, "equal")
    card = {"architecture": SHAPE, "classes": ["benign", "malignant"], "tasks": entry}
    save_model(tmp_path, [network.main], card)
    return tmp_path


def test_predictions_are_in_the_unit_of_each_task(folder):
    images = task().train.images
    model = load_tasks(folder)
    predicted = model.predict(images)
    assert list(predicted) == ["label", *sorted(KINDS)]
    expected = load_model(folder).predict(images)
    assert predicted["label"] == pytest.approx(expected, abs=1e-6)
    assert predicted["shape"].sum(1) == pytest.approx(np.ones(24))
    assert predicted["rating"].shape == (24, 2)
    order = np.argsort(predicted["rating"][:, 0])
    assert (np.diff(predicted["rating"][order, 1]) >= 0).all()  # all levels rank lesions alike
    with torch.no_grad():
        raw = model.network(images.float())[:, -1].numpy()
    column = model.network.columns[2]
    assert predicted["volume"][:, 0] == pytest.approx(
        raw * column["std"] + column["mean"], abs=1e-5
    )


def test_mirror_images_count_if_the_card_asks_for_them(folder):
    images = task().train.images
    before = load_tasks(folder)
    views = [images, images.flip(2), images.flip(3), images.flip((2, 3))]
    answers = [before.predict(view) for view in views]
    reseal(folder / "card.json", lambda card: card.update(predict={"mirror": True}))
    predicted = load_tasks(folder).predict(images)
    for name, values in predicted.items():
        mean = np.mean([answer[name] for answer in answers], axis=0)
        assert values == pytest.approx(mean, abs=1e-6)
        assert not np.allclose(values, answers[0][name], atol=1e-6)
    assert predicted["label"] == pytest.approx(load_model(folder).predict(images), abs=1e-6)


def test_no_image_has_no_prediction(folder):
    predicted = load_tasks(folder).predict(task().train.images[:0])
    assert {name: values.shape for name, values in predicted.items()} == {
        "label": (0, 2),
        "rating": (0, 2),
        "shape": (0, 2),
        "volume": (0, 1),
    }


def test_a_model_without_tasks_has_none(tmp_path):
    save_model(tmp_path, [multitask().network.main], {"architecture": SHAPE, "classes": ["a", "b"]})
    assert load_tasks(tmp_path) is None


def test_damaged_heads_are_one_line(folder):
    path = folder / HEADS
    before = path.read_bytes()
    flip_bit(path, len(before) - 1)
    with pytest.raises(InputError, match="tasks.safetensors: was changed after it was written"):
        load_tasks(folder)
    path.unlink()
    with pytest.raises(InputError, match="tasks.safetensors: is missing"):
        load_tasks(folder)
    path.write_bytes(before)

    def lose(card: dict) -> None:
        del card["tasks"]["columns"][0]

    reseal(folder / "card.json", lose)
    with pytest.raises(InputError, match="does not have the heads that the card describes"):
        load_tasks(folder)


def test_heads_that_are_nan_are_not_saved(tmp_path):
    network = multitask().network
    network.heads[2].bias.data[:] = float("nan")
    with pytest.raises(InputError, match="the weights volume.bias have NaN"):
        save_heads(tmp_path, network, "equal")


def test_the_card_has_what_the_heads_need(folder):
    entry = json.loads((folder / "card.json").read_text())["tasks"]
    assert [column["name"] for column in entry["columns"]] == sorted(KINDS)
    assert "variances" not in entry
