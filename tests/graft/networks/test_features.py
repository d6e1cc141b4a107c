import numpy as np
import pytest
import torch

from graft.networks.build import build_network
from graft.networks.features import extract_features

SHAPE = {"channels": 1, "classes": 3, "width": 8, "seed": 0}


@pytest.mark.parametrize(
    ("name", "patch", "width"),
    [
        ("resnet", (8, 8, 8), 32),
        ("cnn", (8, 8), 128),
        ("resnet10", (16, 16, 16), 512),
        ("densenet121", (32, 32), 1024),
        ("torchvision-resnet18-planes", (32, 32, 32), 512),
    ],
)
def test_the_head_makes_the_logits_of_the_features(name, patch, width):
    network = build_network(name, patch=patch, **SHAPE).eval()
    images = np.random.default_rng(0).random((3, 1, *patch), dtype=np.float32)
    found = extract_features(network, images)
    assert found.shape == (3, width)
    assert found.dtype == np.float64
    with torch.no_grad():
        logits = network(torch.from_numpy(images))
        of_features = network.head(torch.from_numpy(found).float())
    assert torch.allclose(of_features, logits, atol=1e-5)


def test_covariates_are_not_among_the_features():
    network = build_network("resnet", patch=(8, 8), covariates=4, **SHAPE)
    plain = build_network("resnet", patch=(8, 8), **SHAPE)
    images = torch.rand(2, 1, 8, 8)
    assert np.array_equal(extract_features(network, images), extract_features(plain, images))


def test_each_image_gets_its_own_features_in_batches_of_64():
    network = build_network("resnet", patch=(8, 8), **SHAPE)
    images = np.random.default_rng(1).random((130, 1, 8, 8)).astype(np.float16)
    found = extract_features(network, images)
    assert len(found) == 130
    assert np.allclose(found[129:], extract_features(network, images[129:]), atol=1e-5)
    assert np.array_equal(found, extract_features(network, images))
