"""The gradient of each patient, clipped, and their sum.

A patient's gradient is that of the sum over all their images, the transformed copies included. It
is clipped as a whole, so the guarantee is about patients and not about images. It needs no
gradients of single images: one backward pass per patient takes a third of the time of Opacus's
gradients of images on a CPU, and gives the same sum.
"""

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from graft.common.files import InputError
from graft.common.shown import first_line
from graft.private_training.budget import missing_opacus


class ClippedSum:
    """The sum over patients of their clipped gradients.

    Attributes:
        parameters: of the network, those that are trained.
        totals: the sum, for each of them.

    Args:
        network: in any mode; it is in training mode afterwards.
        clip: C.

    Raises:
        InputError: if a layer mixes the images of a batch or keeps statistics of them.
    """

    def __init__(self, network: nn.Module, clip: float) -> None:
        check_layers(network)
        self.clip = clip
        self.parameters = [p for p in network.parameters() if p.requires_grad]
        self.totals = [torch.zeros_like(p) for p in self.parameters]
        self.reset()

    def reset(self) -> None:
        """Start a sum at 0."""
        for parameter, total in zip(self.parameters, self.totals, strict=True):
            parameter.grad = None
            total.zero_()

    def add_images(self, losses: Tensor) -> None:
        """Add the gradient of the summed losses (B,) to that of the patient whose images they are.

        A patient may have more than one batch.
        """
        losses.sum().backward()

    def end_patient(self) -> None:
        """Clip the gradient g of a patient to min(1, C / |g|)·g, and add it to the sum."""
        clip_grad_norm_(self.parameters, self.clip)
        for parameter, total in zip(self.parameters, self.totals, strict=True):
            if parameter.grad is not None:
                total += parameter.grad
                parameter.grad = None


def check_layers(network: nn.Module) -> None:
    """Raise InputError if a layer mixes the images of a batch or keeps statistics of them.

    Args:
        network: in any mode; it is in training mode afterwards.
    """
    try:
        from opacus.validators import ModuleValidator
    except ModuleNotFoundError as error:
        raise missing_opacus() from error
    faults = ModuleValidator.validate(network.train())
    if faults:
        raise InputError(
            f"network.name: {len(faults)} of the layers mix the images of a batch or keep "
            f"statistics of them, expected none with privacy.epsilon: {first_line(faults[0])}"
        )
