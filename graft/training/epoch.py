"""An epoch of training. All that its steps read is on the device before the first one starts."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from graft.common.files import InputError
from graft.common.seeds import generator
from graft.data.batches import read_batches
from graft.data.task import Samples
from graft.training.augment import Transform, apply, draw, draw_noise
from graft.training.graph import CapturedStep
from graft.training.loss import augmented_loss, learning_rate, penalty
from graft.training.plan import Plan
from graft.training.state import Row, State


@dataclass(frozen=True)
class Inputs:
    """What the S steps of an epoch read beside the samples, in the order of the epoch.

    Attributes:
        rows: (N,) int64, the samples in the order of the epoch.
        lr: (S,), the learning rate of each step.
        transforms: its tensors are (M, N, ...): M transforms of each sample.
    """

    rows: Tensor
    lr: Tensor
    transforms: Transform

    def tensors(self) -> list[Tensor]:
        """All tensors, in the same order for each epoch."""
        return [self.rows, self.lr, *vars(self.transforms).values()]

    def on(self, device: torch.device) -> "Inputs":
        """The same on a device."""
        transforms = self.transforms.map(lambda tensor: tensor.to(device))
        return Inputs(self.rows.to(device), self.lr.to(device), transforms)


class Epochs:
    """The epochs of one training.

    A step finds its batch by a counter on the device and never waits for the device. So the same
    code runs eagerly on a CPU and as a CUDA graph on a GPU. The only thing that comes from outside
    is the batch of images, because not all domains fit on the device.

    Args:
        state: of the training. Its network and its optimizer are changed in place.
        train: N samples.
        weights: (N,) of the samples.
        plan: how to train.
    """

    def __init__(self, state: State, train: Samples, weights: Tensor, plan: Plan) -> None:
        self.state = state
        self.train = train
        self.weights = weights
        self.plan = plan
        self.device = train.labels.device
        self.shape = train.images.shape[1:]  # (C, *spatial)
        self.bank = self._draw_bank()
        self.within_batch = torch.arange(plan.training.batch, device=self.device)
        self.step_number = torch.zeros(1, dtype=torch.int64, device=self.device)
        self.sums = torch.zeros(2, dtype=torch.float64, device=self.device)  # losses, penalties
        self.inputs = self._draw_inputs(1).on(self.device)  # their memory stays the same
        is_cuda = self.device.type == "cuda"
        self._captured = CapturedStep(plan.training.batch) if is_cuda else None

    def run(self, epoch: int) -> Row:
        """Train for one epoch, and return the mean loss and the mean penalty of its samples.

        Raises:
            InputError: if the loss or the penalty is not finite.
        """
        drawn = self._draw_inputs(epoch)
        for tensor, new in zip(self.inputs.tensors(), drawn.tensors(), strict=True):
            tensor.copy_(new)
        self.step_number.zero_()
        self.sums.zero_()
        self.state.network.train()
        for images in self._batches():
            if self._captured is None:
                self.step(images)
            else:
                self._captured(self.step, images)
        loss, penalty_mean = (self.sums / len(self.train)).tolist()  # waits for the device
        if not math.isfinite(loss + penalty_mean):
            raise InputError(
                f"{self.plan.purpose}: the loss became {loss} and the penalty {penalty_mean} in "
                f"epoch {epoch} with lr {self.plan.recipe.lr}; expected finite numbers, which a "
                "lower lr, lambda, l1 or l2 gives"
            )
        return {"train_loss": loss, "penalty": penalty_mean}

    def step(self, images: Tensor) -> None:
        """Train on the next batch of the epoch: images (B, C, *spatial)."""
        places = self.step_number * self.plan.training.batch + self.within_batch[: len(images)]
        optimizer = self.state.optimizer
        for group in optimizer.param_groups:
            group["lr"].copy_(self.inputs.lr[self.step_number].squeeze())
        inputs = self._with_transforms(images, places)
        loss = self.loss(inputs, places)
        total_penalty = penalty(self.state.network, self.plan)
        if self.plan.features:
            total_penalty = total_penalty + self.plan.features(inputs)
        optimizer.zero_grad(set_to_none=True)
        (loss + total_penalty).backward()
        optimizer.step()
        self.sums += torch.stack([loss.detach(), total_penalty.detach()]) * len(images)
        self.step_number += 1

    def loss(self, inputs: Tensor, places: Tensor) -> Tensor:
        """The loss () of a batch and its transforms, which have the places (B,) in the epoch."""
        copies = 1 + self.plan.recipe.transforms
        rows = self.inputs.rows[places]
        covariates = self.train.covariates_of(rows.repeat(copies))
        outputs = self.state.network(inputs, covariates)  # (copies·B, outputs)
        labels = self.train.labels[rows].repeat(copies)
        objective = self.plan.objective
        logits = outputs[:, : objective.classes] if objective else outputs  # (copies·B, classes)
        losses = F.cross_entropy(logits, labels, reduction="none")
        losses = losses * self.weights[rows].repeat(copies)
        if objective:
            losses = objective.train_losses(losses, outputs, rows.repeat(copies))
        return augmented_loss(losses, len(places))

    def _with_transforms(self, images: Tensor, places: Tensor) -> Tensor:
        """A batch (B, C, *spatial) followed by its M transforms: ((1 + M)·B, C, *spatial)."""
        count = self.plan.recipe.transforms
        if not count:
            return images
        transforms = self.inputs.transforms.map(lambda drawn: drawn[:, places].flatten(0, 1))
        copies = images.repeat(count, *[1] * len(self.shape))
        return torch.cat([images, apply(copies, transforms, self.bank)])

    def _batches(self) -> Iterator[Tensor]:
        """Yield the images (B, C, *spatial) of each batch of the epoch, on the device."""
        rows = self.inputs.rows
        if not isinstance(self.train.images, Tensor):
            rows = rows.cpu()
        batches = rows.split(self.plan.training.batch)
        return read_batches(self.train.images, batches, self.device)

    def _draw_bank(self) -> Tensor | None:
        """Draw the noise of all epochs, and copy it to the device."""
        if not self.plan.recipe.transforms or not self.plan.augment.noise:
            return None
        random = generator(self.plan.seed, self.plan.purpose, "noise")
        return draw_noise(math.prod(self.shape), random).to(self.device)

    def _draw_inputs(self, epoch: int) -> Inputs:
        """Draw the order and all transforms of an epoch, on the CPU."""
        random = generator(self.plan.seed, self.plan.purpose, "epoch", epoch)
        count = len(self.train)
        order = random.permutation(count)
        copies = self.plan.recipe.transforms
        transforms = draw(self.plan.augment, copies * count, len(self.shape) - 1, random)
        steps = math.ceil(count / self.plan.training.batch)
        done = (epoch - 1 + np.arange(steps) / steps) / self.plan.recipe.epochs  # (S,)
        rates = [learning_rate(self.plan.recipe, self.plan.training.schedule, x) for x in done]
        return Inputs(
            rows=torch.from_numpy(order),
            lr=torch.tensor(rates),
            transforms=transforms.map(lambda drawn: drawn.unflatten(0, (copies, count))),
        )
