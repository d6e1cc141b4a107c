import numpy as np
import pytest
import torch
from torch import nn

from graft.networks.build import HEADS, build_network
from graft.networks.features import features

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
    found = features(network, name, images)
    assert found.shape == (3, width) and found.dtype == np.float64
    with torch.no_grad():
        head = network.get_submodule(HEADS[name].rstrip("."))
        assert torch.allclose(
            head(torch.from_numpy(found).float()), network(torch.from_numpy(images)), atol=1e-5
        )


def test_covariates_are_left_out_and_the_network_stays_as_it_was():
    network = build_network("resnet", patch=(8, 8), covariates=4, **SHAPE)
    head = network.head
    images = torch.rand(2, 1, 8, 8)
    plain = build_network("resnet", patch=(8, 8), **SHAPE)
    assert np.array_equal(features(network, "resnet", images), features(plain, "resnet", images))
    assert network.head is head and isinstance(head, nn.Linear) and head.covariates is None
    with torch.no_grad():
        assert network(images, torch.zeros(2, 4)).shape == (2, 3)


def test_batches_of_64_give_each_image_its_own_features():
    network = build_network("resnet", patch=(8, 8), **SHAPE)
    images = np.random.default_rng(1).random((130, 1, 8, 8)).astype(np.float16)
    found = features(network, "resnet", images)
    assert len(found) == 130 and np.allclose(
        found[129:], features(network, "resnet", images[129:]), atol=1e-5
    )
    assert np.array_equal(found, features(network, "resnet", images))


def test_the_head_comes_back_after_a_failure():
    network = build_network("resnet", patch=(8, 8), **SHAPE)
    with pytest.raises(RuntimeError):
        features(network, "resnet", np.zeros((1, 5, 8, 8), np.float32))
    assert network.head.out_features == 3
