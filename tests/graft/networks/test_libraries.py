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


def shaken(network: nn.Module) -> nn.Module:
    """A library's network in evaluation mode, whose norms are not the identity."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            for tensor, low, high in (
                (module.running_mean, -0.2, 0.2),
                (module.running_var, 0.5, 1.5),
                (module.weight.data, 0.5, 1.2),
                (module.bias.data, -0.2, 0.2),
            ):
                tensor.uniform_(low, high)
    return network.eval()


def ours(
    name: str, theirs: nn.Module, patch: tuple[int, ...], channels: int = 3, classes: int = 5
) -> nn.Module:
    """Our network with the weights of the library's, head and all."""
    network = build_network(
        name, patch=patch, channels=channels, classes=classes, width=8, seed=0, norm="frozen"
    ).eval()
    tensors, _ = fit_tensors(
        {n: t for n, t in theirs.state_dict().items() if "num_batches" not in n}, network
    )
    network.load_saved_tensors(tensors)
    return network


def standardised(images: torch.Tensor, mean: list[float], std: list[float]) -> torch.Tensor:
    shape = (-1, *[1] * (images.ndim - 2))
    return (images - torch.tensor(mean).view(shape)) / torch.tensor(std).view(shape)


def close(a: torch.Tensor, b: torch.Tensor) -> bool:
    return torch.allclose(a, b, rtol=1e-4, atol=1e-4 * float(b.abs().max()))


@pytest.mark.parametrize("kind", ["resnet18", "resnet50"])
@torch.no_grad()
def test_gives_what_torchvisions_resnet_gives_for_images_standardised_as_imagenets(kind):
    theirs = shaken(get_model(kind, num_classes=5))
    images = torch.rand(2, 3, 48, 33)
    logits = ours(f"torchvision-{kind}", theirs, (48, 33))(images)
    assert close(logits, theirs(standardised(images, *IMAGENET)))


@pytest.mark.parametrize("kind", ["r3d_18", "mc3_18", "r2plus1d_18"])
@torch.no_grad()
def test_gives_what_torchvisions_video_networks_give_with_slices_for_frames(kind):
    theirs = shaken(get_model(kind, num_classes=5))
    images = torch.rand(1, 3, 16, 24, 8)  # R, A, S
    logits = ours(f"video-{kind}", theirs, (16, 24, 8))(images)
    assert close(logits, theirs(standardised(images, *KINETICS).movedim(4, 2)))


@pytest.mark.parametrize(
    ("depth", "shortcut", "bias"), [(10, "B", False), (18, "A", True), (50, "B", False)]
)
@torch.no_grad()
def test_gives_what_monais_resnet_gives_in_the_form_of_medicalnet(depth, shortcut, bias):
    form = {"conv1_t_stride": 2, "shortcut_type": shortcut, "bias_downsample": bias}
    theirs = shaken(
        getattr(nets, f"resnet{depth}")(spatial_dims=3, n_input_channels=1, num_classes=5, **form)
    )
    images = torch.rand(1, 1, 20, 16, 24)
    logits = ours(f"medicalnet-resnet{depth}", theirs, (20, 16, 24), channels=1)(images)
    assert close(logits, theirs((images - 0.5) / 0.25))


@torch.no_grad()
def test_three_planes_share_the_trunk_and_their_features_are_averaged():
    theirs = shaken(get_model("resnet18", num_classes=5))
    images = torch.rand(2, 3, 32, 32, 32)
    planes = images[:, :, :, :, 16], images[:, :, :, 16], images[:, :, 16]
    head, theirs.fc = theirs.fc, nn.Identity()
    features = sum(theirs(standardised(plane, *IMAGENET)) for plane in planes) / 3  # (B, 512)
    expected = head(features)
    theirs.fc = head
    assert close(ours("torchvision-resnet18-planes", theirs, (32, 32, 32))(images), expected)


@torch.no_grad()
def test_an_inflated_network_gives_for_a_repeated_picture_what_the_flat_one_gives_for_the_picture():
    theirs = shaken(get_model("resnet18", num_classes=5))
    picture = torch.rand(2, 3, 32, 40)
    volume = picture[..., None].expand(-1, -1, -1, -1, 12)
    flat = ours("torchvision-resnet18", theirs, (32, 40))
    deep = ours("torchvision-resnet18-inflated", theirs, (32, 40, 12))
    assert close(deep(volume), flat(picture))


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("norm", ["group", "frozen"])
def test_gives_the_same_gradients_twice_and_contains_no_nondeterministic_layer(name, norm):
    patch = (16, 16, 16)[: NETWORKS[name].dimensions[0]]
    network = build_network(
        name, patch=patch, channels=1, classes=2, width=8, seed=0, norm=norm
    ).train()
    forbidden = {
        f"{kind}{d}d"
        for kind in ("MaxPool", "AvgPool", "AdaptiveAvgPool", "BatchNorm")
        for d in (2, 3)
    }
    assert not {type(module).__name__ for module in network.modules()} & forbidden
    images, runs = torch.rand(2, 1, *patch), []
    for _ in range(2):
        network.zero_grad()
        network(images).square().sum().backward()
        runs.append([parameter.grad.clone() for parameter in network.parameters()])
    assert all(torch.equal(*pair) and pair[0].isfinite().all() for pair in zip(*runs, strict=True))


def test_frozen_norm_is_batch_norm_in_evaluation_mode_by_hand():
    norm = FrozenNorm(1, eps=1.0)
    norm.running_mean.fill_(2.0)
    norm.running_var.fill_(3.0)  # √(3 + 1) = 2
    norm.weight.data.fill_(4.0)
    norm.bias.data.fill_(5.0)
    found = norm.train()(torch.tensor([[[[2.0, 6.0]]]]))
    assert torch.equal(found, torch.tensor([[[[5.0, 13.0]]]]))  # 4·(x − 2)/2 + 5
    assert [name for name, _ in norm.named_parameters()] == ["weight", "bias"]


@torch.no_grad()
def test_an_image_gives_the_same_alone_and_in_a_batch():
    shape = {"patch": (16, 16, 16), "channels": 1, "classes": 2, "width": 8}
    network = build_network("torchvision-resnet18-planes", **shape, seed=0, norm="frozen")
    images = torch.rand(3, 1, 16, 16, 16)
    assert torch.allclose(network.train()(images)[1:2], network(images[1:2]), atol=1e-5)


@pytest.mark.parametrize(
    "name", ["torchvision-resnet18", "torchvision-resnet18-planes", "medicalnet-resnet10"]
)
def test_members_train_together_under_vmap_as_one_after_the_other(name):
    patch = (16, 16, 16)[: NETWORKS[name].dimensions[0]]
    members = [
        build_network(name, patch=patch, channels=1, classes=2, width=8, seed=k, norm="frozen")
        for k in range(2)
    ]
    images = torch.rand(2, 2, 1, *patch)  # (K, B, C, *spatial)

    def loss(parameters, buffers, batch):
        return functional_call(members[0], (parameters, buffers), (batch,)).square().sum()

    together = vmap(grad(loss))(*stack_module_state(members), images)
    for k, member in enumerate(members):
        member(images[k]).square().sum().backward()
        for tensor, parameter in member.named_parameters():
            assert close(together[tensor][k], parameter.grad), tensor
