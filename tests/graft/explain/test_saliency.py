"""Grad-CAM and occlusion, on a network that is made to look at one corner."""

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


def model(
    name: str = "resnet", patch: tuple[int, ...] = (16, 16), members: int = 1, **more
) -> Model:
    shape = {"name": name, "patch": list(patch), "channels": 1, "classes": 2, "width": 8, **more}
    card = {
        "architecture": shape,
        "classes": ["benign", "malignant"],
        "shares": [1 / members] * members,
    }
    return Model(card, [build_network(**shape, seed=k).eval() for k in range(members)])


class Corner(nn.Module):
    """Answers to what is above 0.5 in the first quarter of each axis, and is blind elsewhere."""

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        self.blocks = {2: nn.Conv2d, 3: nn.Conv3d}[dimensions](1, 1, 1)
        nn.init.ones_(self.blocks.weight), nn.init.constant_(self.blocks.bias, -0.5)

    def forward(self, x, covariates=None):
        corner = (slice(None), 0, *[slice(side // 4) for side in x.shape[2:]])
        said = self.blocks(x).relu()[corner].flatten(1).mean(1)
        return torch.stack([-said, said], 1)


def planted(patch: tuple[int, ...]) -> tuple[Model, np.ndarray]:
    """The network of one corner, and images with a bright corner and a brighter middle.

    The network does not see the middle.
    """
    shape = {"name": "resnet", "patch": list(patch), "channels": 1}
    card = {"architecture": shape, "classes": ["a", "b"], "shares": [1.0]}
    images = np.random.default_rng(0).random((3, 1, *patch)).astype(np.float32) / 4
    images[(slice(None), 0, *[slice(side // 4) for side in patch])] = 0.8
    images[(slice(None), 0, *[slice(side * 3 // 8, side * 5 // 8) for side in patch])] = 1
    return Model(card, [Corner(len(patch))]), images


@pytest.mark.parametrize("patch", ((16, 16), (16, 16, 16)))
def test_occlusion_finds_the_corner_that_the_network_answers_to(patch):
    found = occlusion(*planted(patch))
    corner = tuple(slice(side // 4) for side in patch)
    for values in found.values:
        assert (
            values[corner].min() > 0.05
            and values[tuple(slice(side // 2, None) for side in patch)].max() < 1e-6
        )
        assert values[corner].mean() > 0.5 * values.max()
    assert (found.signed > -1e-6).all() and found.step == {2: (1, 1), 3: (3, 3, 3)}[len(patch)]


def test_occlusion_by_hand():
    # One cube over the corner hides all of it.
    # The log odds are 2 · mean ReLU(0.8 - 0.5) = 0.6, and then 0.
    network, images = planted((16, 16, 16))
    values = occlusion(network, images).signed[0]
    assert np.isclose(values[0, 0, 0], 0.6, atol=1e-5)
    # The cubes begin at 0, 3, 6, 9, 12. The one at 3 hides a quarter of the corner.
    # Voxel 3 lies in both.
    assert np.isclose(values[3, 0, 0], (0.6 + 0.6 / 4) / 2, atol=1e-5)
    assert np.isclose(values[4, 0, 0], 0.6 / 4, atol=1e-5)


def test_what_speaks_against_is_below_0_and_counts_in_occlusion_alone():
    network, images = planted((16, 16))
    turned = Model({**network.card, "classes": ["b", "a"]}, [Flipped(network.networks[0])])
    assert np.allclose(
        occlusion(turned, images).signed, -occlusion(network, images).signed, atol=1e-6
    )
    assert np.allclose(
        occlusion(turned, images).values, occlusion(network, images).values, atol=1e-6
    )
    assert not SaliencyMaps(-np.ones((1, 2, 2)), (1, 1), one_sided=True).values.any()
    assert SaliencyMaps(-np.ones((1, 2, 2)), (1, 1), one_sided=True).inverted.values.all()


class Flipped(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x, covariates=None):
        return self.network(x).flip(1)


@pytest.mark.parametrize("patch", ((16, 16), (16, 16, 16)))
def test_grad_cam_is_that_of_monai(patch):
    from monai.visualize.class_activation_maps import GradCAM

    network, images = (
        model(patch=patch),
        np.random.default_rng(0).random((3, 1, *patch)).astype(np.float32),
    )
    cam = GradCAM(
        LogOdds(model(patch=patch).networks, [1.0]),
        "networks.0.body.blocks",
        postprocessing=lambda found: found,
    )
    coarse = cam.compute_map(torch.from_numpy(images), class_idx=0).detach().numpy()[:, 0]
    found = grad_cam(network, images)
    assert found.signed.shape == (3, *patch) and found.step == (8,) * len(patch)
    # 2 cells a side: the patch's outermost voxels have the values of the cells next to them.
    ends = np.ix_(range(3), *[(0, -1)] * len(patch))
    assert coarse.max() > 0 and np.allclose(found.signed[ends].clip(0), coarse, atol=1e-6)


def test_grad_cam_follows_the_features_by_hand():
    # The head has weights w over mean features.
    # So the gradient of the log odds is (w1 - w0) / cells everywhere.
    network = model()
    images = np.random.default_rng(1).random((2, 1, 16, 16)).astype(np.float32)
    kept = {}
    network.networks[0].body.blocks.register_forward_hook(
        lambda _, __, out: kept.update(features=out.detach())
    )
    found = grad_cam(network, images).signed[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    network.predict(images)
    weights = network.networks[0].head.weight.detach()
    expected = ((weights[1] - weights[0]) / 4 * kept["features"].movedim(1, -1)).sum(
        -1
    )  # (2, 2, 2)
    assert np.allclose(found.reshape(2, 2, 2), expected, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_every_network_has_maps(name):
    flat = name in ("torchvision-resnet18", "densenet121")
    network = model(name, (NAMES[name],) * (2 if flat else 3))
    images = (
        np.random.default_rng(0)
        .random((1, 1, *network.card["architecture"]["patch"]))
        .astype(np.float16)
    )
    before = network.predict(images)
    found = grad_cam(network, images)
    assert (
        found.signed.shape == (1, *images.shape[2:])
        and np.isfinite(found.signed).all()
        and found.signed.any()
    )
    assert len(found.step) == images.ndim - 2 and min(found.step) >= 2
    assert np.array_equal(network.predict(images), before)
    if name.endswith("planes"):
        signed = found.signed[0]
        assert not signed[:16, :16, :16].any() and signed[16].any() and signed[:, :, 16].any()


def test_the_maps_of_an_ensemble_are_the_mean_of_its_members():
    both, images = (
        model(members=2),
        np.random.default_rng(0).random((2, 1, 16, 16)).astype(np.float32),
    )
    alone = [Model({**both.card, "shares": [1.0]}, [network]) for network in both.networks]
    for method in (grad_cam, occlusion):
        expected = sum(method(one, images).signed for one in alone) / 2
        assert np.allclose(method(both, images).signed, expected, atol=1e-6)


def test_covariates_stay_as_they_are_while_the_image_is_hidden():
    table = pd.DataFrame({"age": ["20", "50", "80", "35"]})
    encoding = fit_encoding(table, {"age": "number"}, "liver")
    network = model(covariates=encoding.width)
    network.card["covariates"] = encoding.columns
    with torch.no_grad():
        network.networks[0].head.weight[1, -encoding.width :] = 3.0
    images = np.random.default_rng(0).random((4, 1, 16, 16)).astype(np.float32)
    blind = model()
    blind.networks[0].load_saved_tensors(
        {
            **network.networks[0].saved_tensors(),
            "head.weight": network.networks[0].head.weight[:, : -encoding.width],
        }
    )
    for method in (grad_cam, occlusion):  # what a linear head reads beside the image cancels out
        assert np.allclose(
            method(network, images, table).signed, method(blind, images).signed, atol=1e-5
        )


def test_randomised_models_are_drawn_anew_and_the_same_for_a_seed():
    one, again, other = (
        randomised_models(model(), 1),
        randomised_models(model(), 1),
        randomised_models(model(), 2),
    )
    first = [drawn.networks[0].body.stem.weight for drawn in one]
    assert len(one) == 5 and len({weight.detach().sum().item() for weight in first}) == 5
    assert torch.equal(first[0], again[0].networks[0].body.stem.weight)
    assert not torch.equal(first[0], other[0].networks[0].body.stem.weight)
    assert [len(drawn.networks) for drawn in randomised_models(model(members=3), 1)] == [3, 3]
