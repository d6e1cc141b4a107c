"""What a network is trained for if it has more than one task."""

from typing import Protocol

from torch import Tensor


class Objective(Protocol):
    """The losses of further tasks, whose outputs follow the logits of the classes.

    Attributes:
        classes: how many outputs are the logits of the classes.
    """

    classes: int

    def key(self) -> list:
        """Everything in the objective that decides a training, as plain JSON values."""

    def train_losses(self, losses: Tensor, outputs: Tensor, rows: Tensor) -> Tensor:
        """The weighted loss (B,) of each sample over all tasks. It never waits for the device.

        Args:
            losses: (B,) of the classes, weighted.
            outputs: (B, all outputs).
            rows: (B,) of the training samples.
        """

    def validation_loss(self, loss: Tensor, outputs: Tensor) -> Tensor:
        """The loss () over all tasks on the validation part.

        Args:
            loss: () of the classes.
            outputs: (N, all outputs).
        """
