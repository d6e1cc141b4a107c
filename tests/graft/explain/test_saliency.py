"""Grad-CAM and occlusion, on a network that depends on one corner."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from graft.data.covariates import fit_encoding
from graft.explain.saliency import LogOdds, SaliencyMaps, grad_cam, occlusion, randomised_models
from graft.networks.build import build_network
from graft.networks.saved import Model

NAMES = {
    "cnn": 16,
    "resnet": 16,
    "resnet10": 16,
    "densenet121": 32,
    "torchvision-resnet18": 32,
    "torchvision-resnet18-planes": 32,
    "torchvision-resnet18-inflated": 16,
    "video-r3d_18": 16,
    "medicalnet-resnet10": 16,
}


def make_model(
    name: str = "resnet", patch: tuple[int, ...] = (16, 16), members: int = 1, **more
) -> Model:
    shape = {"name": name, "patch": list(patch), "channels": 1, "classes": 2, "width": 8, **more}
    networks = [build_network(**shape, seed=k).eval() for k in range(members)]
    card = {
        "architecture": shape,
        "classes": ["benign", "malignant"],
        "shares": [1 / members] * members,
    }
    return Model(card, networks)


def random_images(count: int, *patch: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((count, 1, *patch)).astype(np.float32)


class Corner(nn.Module):
    """Depends on values above 0.5 in the first quarter of each axis, and on nothing else."""

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        convolution = {2: nn.Conv2d, 3: nn.Conv3d}[dimensions]
        self.blocks = convolution(1, 1, 1)
        nn.init.ones_(self.blocks.weight)
        nn.init.constant_(self.blocks.bias, -0.5)

    def forward(self, x, covariates=None):
        quarters = [slice(side // 4) for side in x.shape[2:]]
        features = self.blocks(x).relu()[:, 0]  # (B, *spatial)
        corner = features[(slice(None), *quarters)]
        logit = corner.flatten(1).mean(1)
        return torch.stack([-logit, logit], 1)


def planted(patch: tuple[int, ...]) -> tuple[Model, np.ndarray]:
    """The network of one corner, and images with a bright corner and a brighter middle.

    The network does not see the middle.
    """
    shape = {"name": "resnet", "patch": list(patch), "channels": 1}
    card = {"architecture": shape, "classes": ["a", "b"], "shares": [1.0]}
    images = random_images(3, *patch) / 4
    corner = [slice(side // 4) for side in patch]
    middle = [slice(side * 3 // 8, side * 5 // 8) for side in patch]
    images[(slice(None), 0, *corner)] = 0.8
    images[(slice(None), 0, *middle)] = 1
    return Model(card, [Corner(len(patch))]), images


@pytest.mark.parametrize(("patch", "step"), (((16, 16), (1, 1)), ((16, 16, 16), (3, 3, 3))))
def test_occlusion_finds_the_corner_that_the_network_depends_on(patch, step):
    model, images = planted(patch)
    found = occlusion(model, images)
    corner = tuple(slice(side // 4) for side in patch)
    far_half = tuple(slice(side // 2, None) for side in patch)
    for values in found.values:
        assert values[corner].min() > 0.05
        assert values[far_half].max() < 1e-6
        assert values[corner].mean() > 0.5 * values.max()
    assert (found.signed > -1e-6).all()
    assert found.step == step


def test_occlusion_by_hand():
    # One cube covers the corner and hides all of it.
    # The log odds fall from 2 · mean ReLU(0.8 - 0.5) = 0.6 to 0.
    model, images = planted((16, 16, 16))
    values = occlusion(model, images).signed[0]
    assert np.isclose(values[0, 0, 0], 0.6, atol=1e-5)
    # The cubes begin at 0, 3, 6, 9, 12. The one at 3 hides a quarter of the corner.
    # Voxel 3 lies in both, voxel 4 in the second alone.
    assert np.isclose(values[3, 0, 0], (0.6 + 0.6 / 4) / 2, atol=1e-5)
    assert np.isclose(values[4, 0, 0], 0.6 / 4, atol=1e-5)


class Flipped(nn.Module):
    """Exchanges the logits of the two classes."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x, covariates=None):
        return self.network(x).flip(1)


def test_occlusion_counts_evidence_against_the_class_with_a_negative_sign():
    model, images = planted((16, 16))
    flipped_card = {**model.card, "classes": ["b", "a"]}
    flipped = Model(flipped_card, [Flipped(model.networks[0])])
    maps = occlusion(model, images)
    flipped_maps = occlusion(flipped, images)
    assert np.allclose(flipped_maps.signed, -maps.signed, atol=1e-6)
    assert np.allclose(flipped_maps.values, maps.values, atol=1e-6)


def test_one_sided_maps_ignore_evidence_against_the_class_unless_inverted():
    against = SaliencyMaps(-np.ones((1, 2, 2)), (1, 1), one_sided=True)
    assert not against.values.any()
    assert against.inverted.values.all()


@pytest.mark.parametrize("patch", ((16, 16), (16, 16, 16)))
def test_grad_cam_is_that_of_monai(patch):
    from monai.visualize.class_activation_maps import GradCAM

    images = random_images(3, *patch)
    log_odds = LogOdds(make_model(patch=patch).networks, [1.0])
    cam = GradCAM(log_odds, "networks.0.body.blocks", postprocessing=lambda found: found)
    coarse = cam.compute_map(torch.from_numpy(images), class_idx=0)
    coarse = coarse.detach().numpy()[:, 0]
    assert coarse.max() > 0
    found = grad_cam(make_model(patch=patch), images)
    assert found.signed.shape == (3, *patch)
    assert found.step == (8,) * len(patch)
    # There are 2 cells on each side: the outermost voxels have the values of the nearest cells.
    first_and_last = [(0, -1)] * len(patch)
    corners = found.signed[np.ix_(range(3), *first_and_last)]
    assert np.allclose(corners.clip(0), coarse, atol=1e-6)


def test_grad_cam_follows_the_features_by_hand():
    # The head has weights w over mean features of 4 cells.
    # So the gradient of the log odds is (w1 - w0) / 4 everywhere.
    model = make_model()
    network = model.networks[0]
    images = random_images(2, 16, 16, seed=1)
    kept = {}

    def keep_features(module, inputs, output):
        kept["features"] = output.detach()  # (2, C, 2, 2)

    network.body.blocks.register_forward_hook(keep_features)
    found = grad_cam(model, images).signed  # (2, 16, 16)
    corners = found[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    model.predict(images)
    weights = network.head.weight.detach()
    gradient = (weights[1] - weights[0]) / 4
    channels_last = kept["features"][:2].movedim(1, -1)  # without those that fill the batch
    expected = (gradient * channels_last).sum(-1)  # (2, 2, 2)
    assert np.allclose(corners.reshape(2, 2, 2), expected, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_every_network_has_maps_and_predicts_the_same_afterwards(name):
    dimensions = 2 if name in ("torchvision-resnet18", "densenet121") else 3
    patch = (NAMES[name],) * dimensions
    model = make_model(name, patch)
    images = np.random.default_rng(0).random((1, 1, *patch)).astype(np.float16)
    before = model.predict(images)
    found = grad_cam(model, images)
    assert found.signed.shape == (1, *patch)
    assert np.isfinite(found.signed).all()
    assert found.signed.any()
    assert len(found.step) == dimensions
    assert min(found.step) >= 2
    assert np.array_equal(model.predict(images), before)


def test_a_network_of_three_planes_has_maps_on_its_planes_only():
    name = "torchvision-resnet18-planes"
    images = np.random.default_rng(0).random((1, 1, 32, 32, 32)).astype(np.float16)
    found = grad_cam(make_model(name, (32, 32, 32)), images)
    signed = found.signed[0]
    assert not signed[:16, :16, :16].any()
    assert signed[16].any()
    assert signed[:, :, 16].any()


@pytest.mark.parametrize("method", (grad_cam, occlusion))
def test_the_maps_of_an_ensemble_are_the_mean_of_its_members(method):
    both = make_model(members=2)
    images = random_images(2, 16, 16)
    total = np.zeros((2, 16, 16))
    for network in both.networks:
        member = Model({**both.card, "shares": [1.0]}, [network])
        total += method(member, images).signed
    assert np.allclose(method(both, images).signed, total / 2, atol=1e-6)


@pytest.mark.parametrize("method", (grad_cam, occlusion))
def test_covariates_stay_unchanged_while_the_image_is_hidden(method):
    table = pd.DataFrame({"age": ["20", "50", "80", "35"]})
    encoding = fit_encoding(table, {"age": "number"}, "liver")
    model = make_model(covariates=encoding.width)
    model.card["covariates"] = encoding.columns
    network = model.networks[0]
    with torch.no_grad():
        network.head.weight[1, -encoding.width :] = 3.0
    # The same network without covariates.
    without = make_model()
    tensors = network.saved_tensors()
    tensors["head.weight"] = network.head.weight[:, : -encoding.width]
    without.networks[0].load_saved_tensors(tensors)
    # A linear head adds the covariates to the logits, so they cancel out of the difference.
    images = random_images(4, 16, 16)
    found = method(model, images, table).signed
    expected = method(without, images).signed
    assert np.allclose(found, expected, atol=1e-5)


def stem_weight(model: Model) -> torch.Tensor:
    return model.networks[0].body.stem.weight


def test_randomised_models_differ_from_each_other_and_depend_on_the_seed_alone():
    found = randomised_models(make_model(), 1)
    assert len(found) == 5
    sums = {stem_weight(model).detach().sum().item() for model in found}
    assert len(sums) == 5
    again = randomised_models(make_model(), 1)
    assert torch.equal(stem_weight(found[0]), stem_weight(again[0]))
    other = randomised_models(make_model(), 2)
    assert not torch.equal(stem_weight(found[0]), stem_weight(other[0]))


def test_randomised_models_have_as_many_members_as_the_model():
    found = randomised_models(make_model(members=3), 1)
    members = [len(model.networks) for model in found]
    assert members == [3, 3]
