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


def one_patch_domain(*shape: int, classes: tuple[str, ...] = ("benign", "malignant")) -> Domain:
    """A domain of one patch of (channels, *patch)."""
    images = np.zeros((1, *shape), np.float16)
    return Domain("small", images, pd.DataFrame(), list(classes), {})


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("patch", [(32, 32), (32, 40, 32)])
def test_maps_patches_to_logits_in_two_and_three_dimensions(name, patch):
    network = make(name, patch).eval()
    logits = network(torch.rand(2, 1, *patch))
    assert logits.shape == (2, 3)
    head_sizes = []
    for saved_name, tensor in network.saved_tensors().items():
        if network.is_head(saved_name):
            head_sizes.append(len(tensor))
    assert head_sizes == [3, 3]  # weight and bias


# These layers are nondeterministic on a GPU or depend on the other images of the batch.
FORBIDDEN = (
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "AvgPool",
    "Adaptive",
    "BatchNorm",
    "Dropout",
)


@pytest.mark.parametrize("name", PLAIN)
def test_contains_no_layer_that_is_nondeterministic_or_depends_on_the_batch(name):
    network = make(name, (16, 16, 16))
    for module in network.modules():
        kind = type(module).__name__
        assert not kind.startswith(FORBIDDEN)
        assert not kind.endswith(FORBIDDEN)


def test_the_simple_cnn_has_exactly_the_layers_of_its_description():
    shapes = []
    for parameter in make("cnn", classes=2).parameters():
        if parameter.ndim > 1:
            shapes.append(tuple(parameter.shape))
    assert shapes == [(32, 1, 3, 3), (64, 32, 3, 3), (128, 64 * 8 * 8), (2, 128)]


def test_the_simple_cnn_computes_what_pytorchs_own_layers_do():
    network = make("cnn", classes=2)
    cnn = network.body
    expected = nn.Sequential(
        cnn.conv1,
        nn.ReLU(),
        nn.MaxPool2d(2),
        cnn.conv2,
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        cnn.hidden,
        nn.ReLU(),
        network.head,
    )
    x = torch.rand(4, 1, 32, 32)
    standardised = (x - 0.5) * 4
    assert torch.equal(network(x), expected(standardised))


def test_pools_equal_those_of_pytorch():
    x = torch.rand(2, 3, 9, 8, 7)
    assert torch.equal(MaxPool(2)(x), nn.MaxPool3d(2)(x))
    assert torch.equal(MaxPool(3, padding=1)(x), nn.MaxPool3d(3, 2, 1)(x))
    assert torch.allclose(HalfMean()(x), nn.AvgPool3d(2)(x))
    assert torch.allclose(GlobalMean()(x), nn.AdaptiveAvgPool3d(1)(x), atol=1e-6)


def gradient_of_squares(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
    (gradient,) = torch.autograd.grad(layer(x).square().sum(), x)
    return gradient


def test_max_pool_passes_its_gradient_to_the_maximum():
    x = torch.rand(2, 3, 8, 8, requires_grad=True)
    found = gradient_of_squares(MaxPool(3, padding=1), x)
    expected = gradient_of_squares(nn.MaxPool2d(3, 2, 1), x)
    assert torch.allclose(found, expected)


def test_weights_depend_on_the_seed_and_global_randomness_is_unchanged():
    torch.manual_seed(7)
    before = torch.rand(1)
    torch.manual_seed(7)
    first = make("resnet", seed=1).body.stem.weight
    again = make("resnet", seed=1).body.stem.weight
    other = make("resnet", seed=2).body.stem.weight
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.rand(1), before)


def test_a_patch_too_small_for_the_network_raises_an_error_that_names_the_parameter():
    domain = one_patch_domain(1, 16, 16)
    architecture = architecture_for(Network(name="resnet", width=8), domain)
    assert architecture["patch"] == [16, 16]
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
def test_a_patch_with_the_wrong_dimensions_raises_an_error(name, patch, expected):
    domain = one_patch_domain(1, *patch)
    with pytest.raises(InputError, match=rf"preprocess\.patch: got .* '{name}', {expected}"):
        architecture_for(Network(name=name, width=8), domain)


def test_pretrained_and_target_images_must_have_one_shape():
    domain = one_patch_domain(3, 16, 16, classes=("a", "b", "c"))
    source = {"name": "resnet", "patch": [16, 16], "channels": 3, "classes": 2, "width": 8}
    assert adapt_architecture(source, domain) == {**source, "classes": 3}
    one_channel = {**source, "channels": 1}
    with pytest.raises(InputError, match="3 channels"):
        adapt_architecture(one_channel, domain)


def test_one_bright_voxel_reaches_the_head_of_the_network_with_peaks():
    plain = make("resnet", (8, 8))
    peaks = make("resnet-peaks", (8, 8))
    assert peaks.saved_tensors().keys() == plain.saved_tensors().keys()
    planes = torch.tensor([[[0.0, 0.0, 0.0, 8.0], [2.0, 2.0, 2.0, 2.0]]])  # (1, 2 planes, 4 voxels)
    assert plain.body.pool(planes).tolist() == [[2.0, 2.0]]
    assert peaks.body.pool(planes).tolist() == [[5.0, 2.0]]
