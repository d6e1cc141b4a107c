import pytest
import torch
from monai.networks import nets
from torch import nn
from torch.func import functional_call, grad, stack_module_state, vmap
from torchvision.models import get_model

from graft.networks.build import build_network
from graft.networks.layers import FrozenNorm
from graft.networks.registry import NETWORKS
from graft.transfer.adopt import fit_tensors

# Means and standard deviations of the channels.
IMAGENET = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
KINETICS = [0.43216, 0.394666, 0.37645], [0.22803, 0.22145, 0.216989]
PUBLISHED = [name for name, kind in NETWORKS.items() if kind.weights]
SMALL = [name for name in PUBLISHED if "resnet34" not in name and "resnet50" not in name]


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


def with_random_norms(network: nn.Module) -> nn.Module:
    """Put a library's network into evaluation mode, with norms that are not the identity."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.data.uniform_(0.5, 1.2)
            module.bias.data.uniform_(-0.2, 0.2)
    return network.eval()


def build(name: str, patch: tuple[int, ...], channels: int, classes: int, **more) -> nn.Module:
    return build_network(name, patch=patch, channels=channels, classes=classes, width=8, **more)


def graft_network(
    name: str, theirs: nn.Module, patch: tuple[int, ...], channels: int = 3
) -> nn.Module:
    """Graft's network with the weights of the library's network, including its head."""
    network = build(name, patch, channels, classes=5, seed=0, norm="frozen").eval()
    their_tensors = {}
    for tensor_name, tensor in theirs.state_dict().items():
        if "num_batches" not in tensor_name:
            their_tensors[tensor_name] = tensor
    tensors, _ = fit_tensors(their_tensors, network)
    network.load_saved_tensors(tensors)
    return network


def standardised(images: torch.Tensor, mean: list[float], std: list[float]) -> torch.Tensor:
    spatial = [1] * (images.ndim - 2)
    mean = torch.tensor(mean).view(-1, *spatial)
    std = torch.tensor(std).view(-1, *spatial)
    return (images - mean) / std


def close(a: torch.Tensor, b: torch.Tensor) -> bool:
    largest = float(b.abs().max())
    return torch.allclose(a, b, rtol=1e-4, atol=1e-4 * largest)


def patch_for(name: str) -> tuple[int, ...]:
    dimensions = NETWORKS[name].dimensions[0]
    return (16,) * dimensions


@pytest.mark.parametrize("kind", ["resnet18", "resnet50"])
@torch.no_grad()
def test_equals_torchvisions_resnet_for_images_standardised_as_in_imagenet(kind):
    theirs = with_random_norms(get_model(kind, num_classes=5))
    images = torch.rand(2, 3, 48, 33)
    network = graft_network(f"torchvision-{kind}", theirs, (48, 33))
    expected = theirs(standardised(images, *IMAGENET))
    assert close(network(images), expected)


@pytest.mark.parametrize("kind", ["r3d_18", "mc3_18", "r2plus1d_18"])
@torch.no_grad()
def test_equals_torchvisions_video_networks_with_slices_as_frames(kind):
    theirs = with_random_norms(get_model(kind, num_classes=5))
    images = torch.rand(1, 3, 16, 24, 8)  # R, A, S
    network = graft_network(f"video-{kind}", theirs, (16, 24, 8))
    frames_first = standardised(images, *KINETICS).movedim(4, 2)
    assert close(network(images), theirs(frames_first))


@pytest.mark.parametrize(
    ("depth", "shortcut", "bias"),
    [(10, "B", False), (18, "A", True), (50, "B", False)],
)
@torch.no_grad()
def test_equals_monais_resnet_in_the_form_of_medicalnet(depth, shortcut, bias):
    build_theirs = getattr(nets, f"resnet{depth}")
    theirs = build_theirs(
        spatial_dims=3,
        n_input_channels=1,
        num_classes=5,
        conv1_t_stride=2,
        shortcut_type=shortcut,
        bias_downsample=bias,
    )
    theirs = with_random_norms(theirs)
    images = torch.rand(1, 1, 20, 16, 24)
    network = graft_network(f"medicalnet-resnet{depth}", theirs, (20, 16, 24), channels=1)
    expected = theirs((images - 0.5) / 0.25)
    assert close(network(images), expected)


@torch.no_grad()
def test_three_planes_share_the_trunk_and_their_features_are_averaged():
    theirs = with_random_norms(get_model("resnet18", num_classes=5))
    images = torch.rand(2, 3, 32, 32, 32)
    network = graft_network("torchvision-resnet18-planes", theirs, (32, 32, 32))
    head = theirs.fc
    theirs.fc = nn.Identity()
    planes = [images[:, :, :, :, 16], images[:, :, :, 16], images[:, :, 16]]
    features = torch.zeros(2, 512)
    for plane in planes:
        features += theirs(standardised(plane, *IMAGENET)) / 3
    assert close(network(images), head(features))


@torch.no_grad()
def test_an_inflated_network_gives_for_repeated_slices_what_the_flat_one_gives_for_the_slice():
    theirs = with_random_norms(get_model("resnet18", num_classes=5))
    image = torch.rand(2, 3, 32, 40)
    volume = image[..., None].expand(-1, -1, -1, -1, 12)
    flat = graft_network("torchvision-resnet18", theirs, (32, 40))
    inflated = graft_network("torchvision-resnet18-inflated", theirs, (32, 40, 12))
    assert close(inflated(volume), flat(image))


NONDETERMINISTIC = ("MaxPool", "AvgPool", "AdaptiveAvgPool", "BatchNorm")


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("norm", ["group", "frozen"])
def test_contains_no_nondeterministic_layer(name, norm):
    network = build(name, patch_for(name), 1, 2, seed=0, norm=norm)
    kinds = {type(module).__name__ for module in network.modules()}
    for kind in NONDETERMINISTIC:
        assert f"{kind}2d" not in kinds
        assert f"{kind}3d" not in kinds


@pytest.mark.parametrize(
    ("name", "norm"),
    [
        *((name, "group") for name in SMALL),
        ("torchvision-resnet18", "frozen"),
        ("medicalnet-resnet10", "frozen"),
    ],
)
def test_gives_the_same_gradients_twice(name, norm):
    patch = patch_for(name)
    network = build(name, patch, 1, 2, seed=0, norm=norm).train()
    images = torch.rand(2, 1, *patch)

    def gradients() -> list[torch.Tensor]:
        network.zero_grad()
        network(images).square().sum().backward()
        return [parameter.grad.clone() for parameter in network.parameters()]

    for first, second in zip(gradients(), gradients(), strict=True):
        assert torch.equal(first, second)
        assert first.isfinite().all()


def test_frozen_norm_is_batch_norm_in_evaluation_mode_by_hand():
    norm = FrozenNorm(1, eps=1.0)
    norm.running_mean.fill_(2.0)
    norm.running_var.fill_(3.0)
    norm.weight.data.fill_(4.0)
    norm.bias.data.fill_(5.0)
    found = norm.train()(torch.tensor([2.0, 6.0]).view(1, 1, 1, 2))
    # The deviation is √(3 + 1) = 2, so x becomes 4 (x - 2) / 2 + 5.
    assert found.shape == (1, 1, 1, 2)
    assert found.flatten().tolist() == [5.0, 13.0]
    parameters = [name for name, _ in norm.named_parameters()]
    assert parameters == ["weight", "bias"]


@torch.no_grad()
def test_an_image_gives_the_same_alone_and_in_a_batch():
    name = "torchvision-resnet18-planes"
    network = build(name, (16, 16, 16), 1, 2, seed=0, norm="frozen").train()
    images = torch.rand(3, 1, 16, 16, 16)
    in_batch = network(images)[1:2]
    alone = network(images[1:2])
    assert torch.allclose(in_batch, alone, atol=1e-5)


@pytest.mark.parametrize(
    "name",
    ["torchvision-resnet18", "torchvision-resnet18-planes", "medicalnet-resnet10"],
)
def test_members_have_the_same_gradients_under_vmap_as_one_after_the_other(name):
    patch = patch_for(name)
    members = [build(name, patch, 1, 2, seed=k, norm="frozen") for k in range(2)]
    images = torch.rand(2, 2, 1, *patch)  # (K, B, C, *spatial)

    def loss(parameters, buffers, batch):
        logits = functional_call(members[0], (parameters, buffers), (batch,))
        return logits.square().sum()

    parameters, buffers = stack_module_state(members)
    together = vmap(grad(loss))(parameters, buffers, images)
    for k, member in enumerate(members):
        member(images[k]).square().sum().backward()
        for tensor_name, parameter in member.named_parameters():
            assert close(together[tensor_name][k], parameter.grad), tensor_name
