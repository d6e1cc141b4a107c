import pytest
import torch

from graft.networks.build import build_network
from graft.networks.classifier import Classifier

SHAPE = {"channels": 1, "classes": 3, "width": 8, "seed": 0}
EXPORTED = [
    ("resnet", (16, 16, 16)),
    ("cnn", (16, 16)),
    ("resnet10", (16, 16, 16)),
    ("torchvision-resnet18", (32, 32)),
    ("torchvision-resnet18-planes", (16, 16, 16)),
    ("medicalnet-resnet18", (16, 16, 16)),
    ("video-r3d_18", (16, 16, 16)),
]


def make(name: str, patch: tuple[int, ...], covariates: int = 0) -> Classifier:
    return build_network(name, patch=patch, covariates=covariates, **SHAPE).eval()


@pytest.mark.parametrize(
    ("name", "patch", "covariates"),
    [*((name, patch, 0) for name, patch in EXPORTED), (*EXPORTED[0], 2), (*EXPORTED[3], 2)],
)
def test_an_exported_network_gives_the_same_logits_for_any_number_of_images(
    name, patch, covariates
):
    network = make(name, patch, covariates)
    batch = torch.export.Dim("batch")
    inputs = [torch.rand(2, 1, *patch)]
    dynamic = [{0: batch}]
    others = [torch.rand(3, 1, *patch)]
    if covariates:
        inputs.append(torch.rand(2, covariates))
        others.append(torch.rand(3, covariates))
        dynamic.append({0: batch})
    exported = torch.export.export(network, tuple(inputs), dynamic_shapes=tuple(dynamic))
    with torch.no_grad():
        assert torch.allclose(exported.module()(*others), network(*others), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "patch", "head"),
    [
        ("resnet", (8, 8), "head"),
        ("resnet10", (16, 16), "fc"),
        ("densenet121", (32, 32), "class_layers.out"),
    ],
)
def test_tensors_are_saved_by_the_names_of_the_library_and_loaded_by_them(name, patch, head):
    network = make(name, patch)
    other = build_network(name, patch=patch, **{**SHAPE, "seed": 1})
    tensors = network.saved_tensors()
    assert [saved for saved in tensors if network.is_head(saved)] == [
        f"{head}.weight",
        f"{head}.bias",
    ]
    assert tensors[f"{head}.weight"].data_ptr() == network.head.weight.data_ptr()
    other.load_saved_tensors(tensors)
    for saved, tensor in other.saved_tensors().items():
        assert torch.equal(tensor, tensors[saved])
    assert network.parameters_saved_as([f"{head}.bias", "unknown"]) == ["head.bias"]


def test_a_missing_tensor_is_an_error():
    network = make("resnet", (8, 8))
    tensors = network.saved_tensors()
    del tensors["stem.weight"]
    with pytest.raises(RuntimeError, match=r"stem\.weight"):
        network.load_saved_tensors(tensors)


def test_covariates_start_with_the_weight_0_and_the_same_network_otherwise():
    plain = make("resnet", (8, 8))
    joint = make("resnet", (8, 8), covariates=2)
    assert torch.equal(joint.head.weight[:, :-2], plain.head.weight)
    assert not joint.head.weight[:, -2:].any()
    assert torch.equal(joint.head.bias, plain.head.bias)
    assert torch.equal(joint.body.stem.weight, plain.body.stem.weight)


def test_building_a_network_with_covariates_leaves_global_randomness_alone():
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    make("resnet", (8, 8), covariates=2)
    assert torch.equal(torch.rand(1), expected)


def test_weights_are_added_to_those_of_the_covariates():
    network = make("resnet", (8, 8), covariates=2)
    images = torch.rand(4, 1, 8, 8)
    covariates = torch.rand(4, 2)
    weights = torch.rand(3, 2)
    bias = torch.rand(3)
    with torch.no_grad():
        before = network(images, covariates)
        network.add_to_head(weights, bias)
        after = network(images, covariates)
    assert torch.allclose(after - before, covariates @ weights.T + bias, atol=1e-6)


@pytest.mark.parametrize(
    ("covariates", "given", "message"),
    [
        (0, torch.rand(1, 2), "got 2, expected none"),
        (2, None, "got none, expected 2"),
    ],
)
def test_covariates_that_do_not_fit_the_head_raise_an_error(covariates, given, message):
    network = make("resnet", (8, 8), covariates)
    with pytest.raises(ValueError, match=message):
        network(torch.rand(1, 1, 8, 8), given)


def test_nothing_is_done_by_hooks():
    network = make("torchvision-resnet18-planes", (16, 16, 16), covariates=2)
    assert not [module for module in network.modules() if module._forward_pre_hooks]
