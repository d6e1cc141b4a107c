"""The loss of a network over several tasks, for the training loop."""

import hashlib
from typing import Literal

import torch
from torch import Tensor

from graft.common.code import code_digest
from graft.multitask.labels import TaskLabels
from graft.multitask.losses import weigh_by_uncertainty
from graft.multitask.network import MultiTaskNetwork

Weighting = Literal["equal", "uncertainty"]


class TaskObjective:
    """A `graft.training.objective.Objective`: the mean of the losses of all tasks.

    The classes are the first task, and the further ones follow. With the weighting "uncertainty"
    the loss of each task becomes what `weigh_by_uncertainty` makes of it. The validation loss is
    the plain mean, because learned weights would change what it means from epoch to epoch.

    Args:
        network: that is trained.
        labels: of the further tasks, by part.
        weighting: equal or uncertainty.
        only_further: whether the classes are left out, as if the network had only further tasks.
    """

    def __init__(
        self,
        network: MultiTaskNetwork,
        labels: dict[str, TaskLabels],
        weighting: Weighting,
        only_further: bool = False,
    ) -> None:
        self.network = network
        self.labels = labels
        self.weighting = weighting
        self.classes = network.main.head.out_features
        first = 0.0 if only_further else 1.0
        counted = torch.tensor([first, *[1.0] * len(network.columns)])
        self.shares = (counted / counted.sum()).to(network.log_variances.device)  # (1 + T,)

    def key(self) -> list:
        """Everything in the objective that decides a training, as plain JSON values."""
        digest = hashlib.sha256()
        for labels in self.labels.values():
            for tensor in (labels.values, labels.weights):
                digest.update(tensor.cpu().numpy().tobytes())
        shares = self.shares.tolist()
        columns = [dict(column) for column in self.network.columns]
        return [self.weighting, shares, columns, digest.hexdigest(), code_digest(["multitask"])]

    def train_losses(self, losses: Tensor, outputs: Tensor, rows: Tensor) -> Tensor:
        """The weighted loss (B,) of each sample over all tasks. It never waits for the device."""
        labels = self.labels["train"]
        further = self._further_losses(outputs, labels.values[rows])  # (B, T)
        each = torch.cat([losses[:, None], further * labels.weights[rows]], 1)  # (B, 1 + T)
        if self.weighting == "uncertainty":
            each = weigh_by_uncertainty(each, self.network.log_variances)
        return each @ self.shares

    def validation_loss(self, loss: Tensor, outputs: Tensor) -> Tensor:
        """The mean loss () over all tasks on the validation part."""
        labels = self.labels["validation"]
        further = self._further_losses(outputs, labels.values)  # (N, T)
        means = (further * labels.weights).sum(0) / labels.weights.sum(0)  # (T,)
        return torch.cat([loss[None], means]) @ self.shares

    def _further_losses(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """The losses (B, T) of the further tasks, 0 if a label is unknown."""
        _, *divided = self.network.divide(outputs)
        losses = [outputs.new_zeros(len(outputs), 0)]  # for a network without further tasks
        for position, head in enumerate(self.network.task_heads):
            of_task = head.losses(divided[position], labels[:, position])
            losses.append(of_task[:, None])
        return torch.cat(losses, 1)
