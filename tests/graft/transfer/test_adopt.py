import numpy as np
import pandas as pd
import pytest
import torch
from monai.networks import nets
from torch import nn
from torch.nn import functional as F
from torchvision.models import get_model

from graft.common.files import InputError
from graft.data.domain import Domain
from graft.networks import build
from graft.networks.classifier import Classifier
from graft.networks.saved import Model, load_model
from graft.networks.settings import Network
from graft.transfer import adopt
from graft.transfer.carry import carry
from graft.transfer.weights import Weights, find_weights


def domain(*shape: int, classes: tuple[str, ...] = ("benign", "malignant")) -> Domain:
    images = np.zeros((1, *shape), np.float16)
    return Domain("lung", images, pd.DataFrame(), list(classes), {"spacing": None})


def weights_of(folder, network: nn.Module) -> Weights:
    is_ours = isinstance(network, Classifier)
    tensors = network.saved_tensors() if is_ours else network.state_dict()
    path = folder / "theirs.pth"
    torch.save(tensors, path)
    return find_weights(str(path), "any")


def adopted(folder, name: str, weights: Weights, source: Domain) -> Model:
    """The adopted model, written and read again."""
    architecture = build.architecture_for(Network(name=name, width=8), source)
    adopt.save_adopted(folder / "pretrained", weights, architecture, source, seed=1)
    return load_model(folder / "pretrained")


def test_a_summed_stem_gives_for_a_grey_image_what_it_gave_for_three_equal_channels():
    kernel = torch.tensor([1.0, 2.0, 4.0]).view(1, 3, 1, 1)
    grey, how = adopt.recolour(kernel, 1)
    assert grey.flatten().tolist() == [7.0]
    assert how == "summed over 3 channels"
    kernel = torch.rand(4, 3, 3, 3)
    image = torch.rand(1, 1, 8, 8)
    of_three_channels = F.conv2d(image.expand(-1, 3, -1, -1), kernel)
    summed, _ = adopt.recolour(kernel, 1)
    assert torch.allclose(F.conv2d(image, summed), of_three_channels, atol=1e-5)


def test_a_repeated_stem_gives_for_three_equal_channels_what_it_gave_for_one():
    kernel = torch.tensor([6.0]).view(1, 1, 1, 1)
    colour, how = adopt.recolour(kernel, 3)
    assert colour.flatten().tolist() == [2.0] * 3
    assert how == "repeated over 3 channels, divided by 3"
    same, how = adopt.recolour(colour, 3)
    assert same is colour
    assert how == "unchanged"


def test_a_kernel_is_repeated_along_the_third_axis_and_divided_by_its_length():
    kernel = torch.arange(9.0).view(1, 1, 3, 3)
    inflated = adopt.inflate(kernel)
    assert inflated.shape == (1, 1, 3, 3, 3)
    assert inflated[0, 0, 2, 1].tolist() == pytest.approx([7 / 3] * 3)
    assert torch.allclose(inflated.sum(-1), kernel)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("torchvision-resnet18", (1, 16, 16)),
        ("torchvision-resnet18-planes", (1, 16, 16, 16)),
        ("torchvision-resnet18-inflated", (3, 16, 16, 16)),
    ],
)
def test_the_body_of_a_torchvision_network_is_loaded_into_a_network_for_other_classes(
    tmp_path, capsys, name, shape
):
    torch.manual_seed(0)
    theirs = get_model("resnet18")
    theirs.bn1.running_mean.uniform_()
    pretrained = adopted(tmp_path, name, weights_of(tmp_path, theirs), domain(*shape))
    message = "100 tensors loaded, 2 new (fc.bias, fc.weight), 2 left (fc.bias, fc.weight)"
    assert message in capsys.readouterr().out
    stem = "summed over 3 channels" if shape[0] == 1 else "unchanged"
    assert pretrained.card["weights"]["stem"] == stem
    assert pretrained.card["classes"] == []
    three_classes = domain(*shape, classes=("a", "b", "c"))
    architecture = build.adapt_architecture(pretrained.card["architecture"], three_classes)
    target = build.build_network(**architecture, seed=2)
    carried = carry(pretrained.networks[0].saved_tensors(), target, head="new")
    assert torch.equal(target.body.bn1.running_mean, theirs.bn1.running_mean)
    assert target.head.weight.shape == (3, 512)
    assert carried.new == ["fc.bias", "fc.weight"]
    assert len(carried.loaded) == 100


HEAD = ["fc.bias", "fc.weight"]


def video_network() -> nn.Module:
    return get_model("mc3_18")


def medicalnet_without_head() -> nn.Module:
    return nets.resnet10(n_input_channels=1, feed_forward=False, bias_downsample=False)


@pytest.mark.parametrize(
    ("name", "theirs", "left", "stem"),
    [
        ("video-mc3_18", video_network, HEAD, "summed over 3 channels"),
        ("medicalnet-resnet10", medicalnet_without_head, [], "unchanged"),
    ],
)
def test_every_tensor_below_the_head_is_loaded_from_networks_for_volumes(
    tmp_path, name, theirs, left, stem
):
    volumes = domain(1, 16, 16, 16)
    pretrained = adopted(tmp_path, name, weights_of(tmp_path, theirs()), volumes)
    weights = pretrained.card["weights"]
    assert weights["carried"]["left"] == left
    assert weights["stem"] == stem
    architecture = build.adapt_architecture(pretrained.card["architecture"], volumes)
    target = build.build_network(**architecture, seed=2)
    carried = carry(pretrained.networks[0].saved_tensors(), target, head="new")
    assert weights["carried"]["loaded"] == carried.loaded
    assert carried.new == HEAD


def test_weights_without_statistics_keep_group_norm(tmp_path):
    ours = build.build_network("resnet", patch=(8, 8), channels=1, classes=4, width=8, seed=3)
    pretrained = adopted(tmp_path, "resnet", weights_of(tmp_path, ours), domain(1, 8, 8))
    assert pretrained.card["architecture"]["norm"] == "group"
    assert torch.equal(pretrained.networks[0].body.stem.weight, ours.body.stem.weight)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("torchvision-resnet34", (1, 16, 16), "layer1.2.bn1.bias (missing) for (64,)"),
        ("torchvision-resnet18", (2, 16, 16), "conv1.weight (64, 3, 7, 7) for (64, 2, 7, 7)"),
        ("cnn", (1, 16, 16), "bn1.bias (64,) for (missing)"),
    ],
)
def test_weights_of_another_network_raise_an_error_and_leave_no_model(
    tmp_path, name, shape, message
):
    weights = weights_of(tmp_path, get_model("resnet18"))
    with pytest.raises(InputError) as caught:
        adopted(tmp_path, name, weights, domain(*shape))
    assert str(caught.value).startswith("theirs.pth: pretrained weights: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "pretrained").exists()


FLAT, INFLATED = "torchvision-resnet18", "torchvision-resnet18-inflated"
WRONG_SHAPES = [(64,), (0,), (64, 3, 7), (1, 1, 1, 10**6), (1, 1, 0, 0)]


@pytest.mark.parametrize(
    ("name", "shape"),
    [*((FLAT, shape) for shape in WRONG_SHAPES), (INFLATED, (64, 3, 7)), (INFLATED, (1, 1, 0, 0))],
)
def test_a_first_kernel_of_another_form_raises_an_error_and_is_not_inflated(tmp_path, name, shape):
    weights = weights_of(tmp_path, get_model("resnet18"))
    weights.tensors["conv1.weight"] = torch.ones(shape)
    side = (16, 16, 16) if "inflated" in name else (16, 16)
    with pytest.raises(InputError, match="1 of 100 tensors do not fit .*conv1.weight"):
        adopted(tmp_path, name, weights, domain(1, *side))


def test_the_same_weights_make_the_same_bytes(tmp_path):
    weights = weights_of(tmp_path, get_model("resnet18"))

    def adopt_and_read() -> tuple[bytes, bytes]:
        adopted(tmp_path, "torchvision-resnet18", weights, domain(1, 16, 16))
        folder = tmp_path / "pretrained"
        tensors = (folder / "weights.safetensors").read_bytes()
        card = (folder / "card.json").read_bytes()
        return tensors, card

    first_tensors, first_card = adopt_and_read()
    tensors, card = adopt_and_read()
    assert tensors == first_tensors
    assert card == first_card
    assert str(tmp_path) not in card.decode()
