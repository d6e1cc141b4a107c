"""The gradient of each patient, clipped, and their sum.

Opacus gives the gradient of each image. Those of all images of a patient, the transformed copies
included, are added before they are clipped. So the guarantee is about patients and not images.
"""

from typing import Any

import torch
from torch import Tensor, nn

from graft.common.files import InputError
from graft.private_training.budget import missing_opacus


class PatientGradients:
    """The sum over patients of their clipped gradients, of the parameters that are trained.

    Args:
        network: whose layers get hooks, which `close` removes.
        clip: C.

    Raises:
        InputError: if Opacus is not installed, or if a layer mixes the images of a batch or keeps
            statistics of them.
    """

    def __init__(self, network: nn.Module, clip: float) -> None:
        check_layers(network)
        from opacus import GradSampleModule

        for layer in network.modules():
            if getattr(layer, "inplace", False):
                layer.inplace = False  # the hooks need the tensors as they were
        self.clip = clip
        self.parameters = [p for p in network.parameters() if p.requires_grad]
        self._hooks: Any = GradSampleModule(network, loss_reduction="sum")
        self.sums = [torch.zeros_like(p) for p in self.parameters]
        self._patients: list[Tensor] = []

    def reset(self) -> None:
        """Start the sum of a step at 0."""
        for total in self.sums:
            total.zero_()

    def begin(self, patients: int) -> None:
        """Begin with so many patients, whose gradients are complete at `finish`."""
        self._patients = [p.new_zeros((patients, *p.shape)) for p in self.parameters]

    def add(self, losses: Tensor, owners: Tensor) -> None:
        """Add the gradients of images to those of their patients.

        Args:
            losses: (B,) of the images of one forward pass through the network in training mode.
            owners: (B,) int64, the number of the patient of each image.
        """
        losses.sum().backward()
        for parameter, gradients in zip(self.parameters, self._patients, strict=True):
            of_images = parameter.grad_sample
            parameter.grad, parameter.grad_sample = None, None
            if of_images is None:
                continue  # the loss does not depend on it
            # A network that sees an image as k planes has k gradients of it, one plane after the
            # other for all images.
            repeated = owners.repeat(len(of_images) // len(owners))
            gradients.index_add_(0, repeated, of_images)

    def finish(self) -> None:
        """Clip the gradients g of the patients to min(1, C / |g|)·g, and add them to the sum."""
        squares = [gradients.flatten(1).square().sum(1) for gradients in self._patients]
        norms = torch.stack(squares).sum(0).sqrt()  # (P,)
        factors = (self.clip / norms.clamp(min=torch.finfo(norms.dtype).tiny)).clamp(max=1)
        for total, gradients in zip(self.sums, self._patients, strict=True):
            total += torch.einsum("p,p...->...", factors, gradients)
        self._patients = []

    def close(self) -> None:
        """Remove the hooks from the network."""
        self._hooks.to_standard_module()


def check_layers(network: nn.Module) -> None:
    """Raise InputError if the gradient of an image would depend on other images.

    Args:
        network: in any mode; it is in training mode afterwards.
    """
    network.train()
    try:
        from opacus import GradSampleModule
        from opacus.validators import ModuleValidator
    except ModuleNotFoundError as error:
        raise missing_opacus() from error
    faults = [*ModuleValidator.validate(network), *GradSampleModule.validate(network)]
    if faults:
        kinds = {type(layer).__name__ for layer in network.modules() if list(layer.buffers(False))}
        raise InputError(
            f"network.name: has {len(faults)} layers that mix the images of a batch or keep "
            f"statistics of them ({', '.join(sorted(kinds))}), expected none with privacy.epsilon"
        )
