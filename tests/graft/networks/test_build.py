import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from graft.common.files import InputError
from graft.data.domain import Domain
from graft.networks.build import adapt_architecture, architecture_for, build_network
from graft.networks.classifier import Classifier
from graft.networks.layers import GlobalMean, HalfMean, MaxPool
from graft.networks.registry import NETWORKS
from graft.networks.settings import Network

# Networks without published weights; test_libraries.py tests the others.
PLAIN = [name for name, kind in NETWORKS.items() if kind.weights is None]


def make(name: str, patch=(32, 32), classes: int = 3, seed: int = 0) -> Classifier:
    return build_network(name, patch=patch, channels=1, classes=classes, width=8, seed=seed)


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("patch", [(32, 32), (32, 40, 32)])
def test_maps_patches_to_logits_in_two_and_three_dimensions(name, patch):
    network = make(name, patch).eval()
    assert network(torch.rand(2, 1, *patch)).shape == (2, 3)
    heads = [tensor for name, tensor in network.saved_tensors().items() if network.is_head(name)]
    assert [len(tensor) for tensor in heads] == [3, 3]


@pytest.mark.parametrize("name", PLAIN)
def test_nothing_in_it_is_nondeterministic_on_a_gpu_or_depends_on_the_batch(name):
    forbidden = (
        "MaxPool1d",
        "MaxPool2d",
        "MaxPool3d",
        "AvgPool",
        "Adaptive",
        "BatchNorm",
        "Dropout",
    )
    kinds = {type(module).__name__ for module in make(name, (16, 16, 16)).modules()}
    assert not [kind for kind in kinds if kind.startswith(forbidden) or kind.endswith(forbidden)]


def test_the_simple_cnn_has_exactly_the_layers_of_its_description():
    shapes = [tuple(p.shape) for p in make("cnn", classes=2).parameters() if p.ndim > 1]
    assert shapes == [(32, 1, 3, 3), (64, 32, 3, 3), (128, 64 * 8 * 8), (2, 128)]


def test_the_simple_cnn_computes_what_pytorchs_own_layers_do():
    network, x = make("cnn", classes=2), torch.rand(4, 1, 32, 32)
    cnn = network.body
    layers = [
        cnn.conv1,
        nn.ReLU(),
        nn.MaxPool2d(2),
        cnn.conv2,
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
    ]
    assert torch.equal(
        network(x), nn.Sequential(*layers, cnn.hidden, nn.ReLU(), network.head)((x - 0.5) * 4)
    )


def test_pools_equal_pytorchs():
    x = torch.rand(2, 3, 9, 8, 7)
    assert torch.equal(MaxPool(2)(x), nn.MaxPool3d(2)(x))
    assert torch.equal(MaxPool(3, padding=1)(x), nn.MaxPool3d(3, 2, 1)(x))
    assert torch.allclose(HalfMean()(x), nn.AvgPool3d(2)(x))
    assert torch.allclose(GlobalMean()(x), nn.AdaptiveAvgPool3d(1)(x), atol=1e-6)


def test_max_pool_passes_its_gradient_to_the_maximum():
    x = torch.rand(2, 3, 8, 8, requires_grad=True)
    ours = torch.autograd.grad(MaxPool(3, padding=1)(x).square().sum(), x)[0]
    assert torch.allclose(ours, torch.autograd.grad(nn.MaxPool2d(3, 2, 1)(x).square().sum(), x)[0])


def test_weights_come_from_the_seed_and_leave_global_randomness_alone():
    torch.manual_seed(7)
    before = torch.rand(1)
    torch.manual_seed(7)
    first, again, other = (make("resnet", seed=seed).body.stem.weight for seed in (1, 1, 2))
    assert (
        torch.equal(first, again)
        and not torch.equal(first, other)
        and torch.equal(torch.rand(1), before)
    )


def test_a_patch_too_small_for_the_network_names_the_parameter():
    domain = Domain(
        "small", np.zeros((1, 1, 16, 16), np.float16), pd.DataFrame(), ["benign", "malignant"], {}
    )
    assert architecture_for(Network(name="resnet", width=8), domain)["patch"] == [16, 16]
    with pytest.raises(InputError, match=r"preprocess\.patch: got \[16, 16\] .* at least 32"):
        architecture_for(Network(name="densenet121", width=8), domain)


@pytest.mark.parametrize(
    ("name", "patch", "expected"),
    [
        ("torchvision-resnet18", (16, 16, 16), "expected 2 numbers"),
        ("torchvision-resnet18-inflated", (16, 16), "expected 3 numbers"),
        ("torchvision-resnet18-planes", (16, 16, 8), "expected three equal sides"),
    ],
)
def test_a_patch_of_other_dimensions_than_the_networks_names_the_parameter(name, patch, expected):
    domain = Domain("d", np.zeros((1, 1, *patch), np.float16), pd.DataFrame(), ["a", "b"], {})
    with pytest.raises(InputError, match=rf"preprocess\.patch: got .* '{name}', {expected}"):
        architecture_for(Network(name=name, width=8), domain)


def test_pretrained_and_target_images_must_have_one_shape():
    domain = Domain(
        "other", np.zeros((1, 3, 16, 16), np.float16), pd.DataFrame(), ["a", "b", "c"], {}
    )
    source = {"name": "resnet", "patch": [16, 16], "channels": 3, "classes": 2, "width": 8}
    assert adapt_architecture(source, domain) == {**source, "classes": 3}
    with pytest.raises(InputError, match="3 channels"):
        adapt_architecture({**source, "channels": 1}, domain)
