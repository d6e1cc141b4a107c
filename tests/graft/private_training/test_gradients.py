"""Clipped gradients of patients: by hand, and against those of Opacus for each image."""

import pytest
import torch
from opacus import GradSampleModule
from torch import nn
from torch.nn import functional as F

from graft.common.files import InputError
from graft.networks.build import build_network
from graft.private_training.gradients import ClippedSum, check_layers


class Linear(nn.Module):
    """The output w·x + b, whose gradient for a loss equal to it is (x, 1)."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)[:, 0]


@pytest.mark.parametrize("by_image", [False, True])
def test_the_gradient_of_a_patient_is_clipped_as_a_whole(by_image):
    network = Linear()
    clipped = ClippedSum(network, clip=1.5, by_image=by_image)
    # The three images have (1, 0, 1) + (1, 0, 1) + (0, 4, 1) = (2, 4, 3), with the norm √29.
    # Clipped image by image, it would be another direction.
    first = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 4.0]])
    # (0, 0, 1) has the norm 1, less than 1.5, and stays as it is.
    second = torch.tensor([[0.0, 0.0]])
    if by_image:
        clipped.add(network(torch.cat([first, second])), torch.tensor([0, 0, 0, 1]), patients=2)
    else:
        clipped.add(network(first), torch.tensor([0, 0, 0]), patients=1)
        clipped.add(network(second), torch.tensor([0]), patients=1)
    factor = 1.5 / 29**0.5
    weight, bias = clipped.totals
    assert weight.flatten().tolist() == pytest.approx([2 * factor, 4 * factor], rel=1e-5)
    assert bias.tolist() == pytest.approx([3 * factor + 1], rel=1e-5)


def test_a_step_without_patients_has_the_sum_0():
    network = Linear()
    clipped = ClippedSum(network, clip=1.0, by_image=False)
    clipped.add(network(torch.ones(1, 2)), torch.tensor([0]), patients=1)
    clipped.reset()
    assert [total.abs().sum().item() for total in clipped.totals] == [0, 0]


def gradients_of_opacus(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> list:
    """The gradient of each image, of all parameters: (B, *shape) each."""
    module = GradSampleModule(network, loss_reduction="sum")
    F.cross_entropy(module(images), labels, reduction="sum").backward()
    found = [parameter.grad_sample.clone() for parameter in network.parameters()]
    module.to_standard_module()
    return found


@pytest.mark.filterwarnings("ignore:Full backward hook")
@pytest.mark.parametrize("by_image", [False, True])
@pytest.mark.parametrize("name", ["resnet", "cnn"])
def test_the_sum_is_that_of_the_gradients_of_images_of_opacus(name, by_image):
    network = build_network(name, patch=[8, 8, 8], channels=1, classes=2, width=8, seed=1).train()
    images = torch.rand(7, 1, 8, 8, 8, generator=torch.Generator().manual_seed(1))
    labels = torch.tensor([0, 1, 0, 1, 1, 0, 0])
    patients = [[0, 1, 2], [3], [4, 5, 6]]
    by_image = gradients_of_opacus(network, images, labels)
    norms = []
    for rows in patients:
        of_patient = [gradients[rows].sum(0).flatten() for gradients in by_image]
        norms.append(float(torch.cat(of_patient).norm()))
    clip = sum(norms) / 3  # some are clipped, some are not
    expected = [torch.zeros_like(parameter) for parameter in network.parameters()]
    for rows, norm in zip(patients, norms, strict=True):
        for total, gradients in zip(expected, by_image, strict=True):
            total += gradients[rows].sum(0) * min(1.0, clip / norm)

    clipped = ClippedSum(network, clip, by_image)
    owners = torch.tensor([0, 0, 0, 1, 2, 2, 2])
    for rows in [list(range(7))] if by_image else patients:
        losses = F.cross_entropy(network(images[rows]), labels[rows], reduction="none")
        clipped.add(losses, owners[rows] - owners[rows[0]], patients=3 if by_image else 1)
    for total, wanted in zip(clipped.totals, expected, strict=True):
        assert torch.allclose(total, wanted, atol=1e-3, rtol=1e-3)


def test_layers_that_mix_images_are_refused():
    mixing = nn.Sequential(nn.Conv3d(1, 4, 3), nn.BatchNorm3d(4))
    with pytest.raises(InputError, match=r"^network.name: 1 of the layers mix .*BatchNorm"):
        check_layers(mixing)


@pytest.mark.parametrize("name", ["resnet", "resnet-peaks", "cnn"])
def test_the_networks_of_graft_are_not_refused(name):
    check_layers(build_network(name, patch=[32] * 3, channels=1, classes=2, width=8, seed=1))
