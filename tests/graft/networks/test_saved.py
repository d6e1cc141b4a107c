import sys
from itertools import product

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from graft.common.files import InputError, sha256, write_sealed
from graft.networks import saved
from graft.networks.build import build_network
from graft.networks.features import extract_features
from tests.seals import reseal

ARCHITECTURE = {"name": "resnet", "patch": [8, 8], "channels": 1, "classes": 2, "width": 8}
CARD = {"architecture": ARCHITECTURE, "classes": ["benign", "malignant"]}


def networks(count: int) -> list[torch.nn.Module]:
    return [build_network(**ARCHITECTURE, seed=k).eval() for k in range(count)]


def test_a_folder_is_enough_to_predict_with(tmp_path):
    (network,) = networks(1)
    saved.save_model(tmp_path, [network], CARD)
    images = torch.rand(70, 1, 8, 8)  # more than one batch
    expected = network(images).softmax(1).detach().numpy()
    loaded = saved.load_model(tmp_path)
    found = loaded.predict(images.numpy().astype(np.float32))
    assert np.allclose(found, expected, atol=1e-6)


def test_an_ensemble_is_the_weighted_mean_of_its_members(tmp_path):
    members = networks(3)
    saved.save_model(tmp_path, members, {**CARD, "shares": [0.5, 0.3, 0.2]})
    images = torch.rand(4, 1, 8, 8)
    first, second, third = [member(images).softmax(1) for member in members]
    expected = 0.5 * first + 0.3 * second + 0.2 * third
    found = saved.load_model(tmp_path).predict(images)
    assert np.allclose(found, expected.detach().numpy(), atol=1e-6)


@pytest.mark.parametrize("axes", [2, 3])
def test_a_card_may_ask_for_the_mean_over_all_mirror_images(axes):
    shape = {**ARCHITECTURE, "patch": [8] * axes}
    network = build_network(**shape, seed=0).eval()
    card = {**CARD, "architecture": shape, "shares": [1.0]}
    images = np.random.default_rng(0).random((3, 1, *[8] * axes)).astype(np.float32)
    alone = saved.Model(card, [network])
    mirroring = saved.Model({**card, "predict": {"mirror": True}}, [network])
    expected = []
    for mirrored in product([False, True], repeat=axes):
        turned = [2 + axis for axis in range(axes) if mirrored[axis]]
        expected.append(alone.predict(np.flip(images, turned).copy()))
    assert len(expected) == 2**axes
    found = mirroring.predict(images)
    assert found == pytest.approx(np.mean(expected, axis=0), abs=1e-12)
    assert mirroring.predict(np.flip(images, [2]).copy()) == pytest.approx(found, abs=1e-6)
    assert not np.allclose(found, alone.predict(images), atol=1e-6)


def test_no_images_give_no_predictions(tmp_path):
    saved.save_model(tmp_path, networks(1), CARD)
    no_images = np.zeros((0, 1, 8, 8))
    found = saved.load_model(tmp_path).predict(no_images)
    assert found.shape == (0, 2)


def test_the_same_weights_give_the_same_bytes(tmp_path):
    card = {**CARD, "shares": [0.5, 0.5]}
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        saved.save_model(folder, networks(2), card)
    for file in ("weights.safetensors", "card.json"):
        first = (tmp_path / "a" / file).read_bytes()
        second = (tmp_path / "b" / file).read_bytes()
        assert first == second


def test_a_truncated_weights_file_raises_an_error_of_one_line(tmp_path):
    saved.save_model(tmp_path, networks(1), CARD)
    path = tmp_path / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    message = r"weights\.safetensors: was changed after it was written"
    with pytest.raises(InputError, match=message) as caught:
        saved.load_model(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_weights_file_with_another_hash_than_in_the_card_raises_an_error(tmp_path):
    saved.save_model(tmp_path, networks(1), CARD)
    path = tmp_path / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="SHA-256"):
        saved.load_model(tmp_path)


def test_images_of_another_shape_raise_an_error(tmp_path):
    saved.save_model(tmp_path, networks(1), CARD)
    model = saved.load_model(tmp_path)
    with pytest.raises(InputError, match=r"\(1, 9, 9\)"):
        model.predict(np.zeros((1, 1, 9, 9)))


def test_a_missing_model_raises_an_error_that_names_its_folder(tmp_path):
    with pytest.raises(InputError, match="nowhere"):
        saved.load_model(tmp_path / "nowhere")


@pytest.mark.parametrize("change", [{"width": 16}, {"name": "nonet"}, {"depth": 3}])
def test_a_card_of_another_network_raises_an_error_of_one_line(tmp_path, change):
    saved.save_model(tmp_path, networks(1), CARD)
    reseal(tmp_path / "card.json", lambda card: card["architecture"].update(change))
    message = "card.json: does not describe a network of these weights"
    with pytest.raises(InputError, match=message) as caught:
        saved.load_model(tmp_path)
    assert "\n" not in str(caught.value)


def test_tensors_have_the_names_of_the_library_on_disk(tmp_path):
    saved.save_model(tmp_path, networks(1), CARD)
    names = list(load_file(tmp_path / "weights.safetensors"))
    assert "stem.weight" in names
    assert "blocks.0.conv1.weight" in names
    assert "head.weight" in names
    assert "head.bias" in names
    for name in names:
        assert not name.startswith("body.")


@pytest.mark.parametrize("shares", [[0.5, 0.4], [1.5, -0.5], [], ["1"], [1.0, 1e-8]])
def test_shares_that_do_not_sum_to_1_are_refused(tmp_path, shares):
    with pytest.raises(InputError, match=r"card.json: has the shares \[.*expected numbers that"):
        saved.save_model(tmp_path, networks(2), {**CARD, "shares": shares})
    saved.save_model(tmp_path, networks(2), {**CARD, "shares": [0.5, 0.5]})
    reseal(tmp_path / "card.json", lambda card: card.update(shares=shares))
    with pytest.raises(InputError, match=r"card.json: has the shares \[.*expected numbers that"):
        saved.load_model(tmp_path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_neither_written_nor_read(tmp_path, value):
    (network,) = networks(1)
    message = "weights.safetensors: the weights head.bias have NaN or infinity, expected numbers"
    with torch.no_grad():
        network.head.bias[0] = value
    with pytest.raises(InputError, match=message):
        saved.save_model(tmp_path, [network], CARD)
    assert not list(tmp_path.iterdir())
    save_file(network.saved_tensors(), tmp_path / "weights.safetensors")
    weights = sha256(tmp_path / "weights.safetensors")
    write_sealed(tmp_path / "card.json", {**CARD, "shares": [1.0], "weights_sha256": weights})
    with pytest.raises(InputError, match=message):
        saved.load_model(tmp_path)


def test_a_probability_that_is_no_number_is_refused(tmp_path):
    model = saved.Model({**CARD, "shares": [1.0]}, networks(1))
    images = np.zeros((3, 1, 8, 8))
    images[2] = np.nan
    with pytest.raises(InputError, match="model: gives image 2 a probability that is NaN"):
        model.predict(images)


def test_a_card_that_was_changed_is_refused(tmp_path):
    saved.save_model(tmp_path, networks(1), CARD)
    path = tmp_path / "card.json"
    path.write_text(path.read_text().replace("malignant", "malignent"))
    with pytest.raises(InputError, match="card.json: was changed after it was written"):
        saved.load_model(tmp_path)


@pytest.mark.parametrize("name", ["cnn", "resnet"])
@pytest.mark.parametrize("patch", [[28, 28], [12, 12, 12]])
def test_a_prediction_is_the_same_to_the_last_bit_beside_any_others(name, patch):
    shape = {**ARCHITECTURE, "name": name, "patch": patch, "covariates": 3}
    covariate = {"name": "size", "kind": "category", "categories": ["large", "small"]}
    card = {**CARD, "architecture": shape, "shares": [1.0], "covariates": [covariate]}
    network = build_network(**shape, seed=0).eval()
    torch.nn.init.normal_(network.head.weight, generator=torch.Generator().manual_seed(0))
    model = saved.Model(card, [network])
    rng = np.random.default_rng(0)
    images = rng.random((21, 1, *patch)).astype(np.float16)
    table = pd.DataFrame({"size": np.array(["large", "small", ""])[rng.integers(0, 3, 21)]})
    together = model.predict(images, table)
    features = extract_features(network, images)
    assert len(np.unique(together[:, 0])) == 21
    for rows in (slice(0, 1), slice(3, 6), slice(20, 21), slice(None, None, -1)):
        assert np.array_equal(model.predict(images[rows], table[rows]), together[rows])
        assert np.array_equal(extract_features(network, images[rows]), features[rows])


def test_a_library_that_is_not_installed_is_named(tmp_path, monkeypatch):
    shape = {**ARCHITECTURE, "name": "resnet10", "patch": [8, 8, 8]}
    card = {**CARD, "architecture": shape}
    saved.save_model(tmp_path, [build_network(**shape, seed=0)], card)
    monkeypatch.setitem(sys.modules, "monai.networks", None)
    message = "the network resnet10 needs the library monai.*: pip install 'graft.networks.'"
    with pytest.raises(InputError, match=message):
        saved.load_model(tmp_path)
