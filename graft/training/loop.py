"""The training loop, one for every stage."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graft.common.files import InputError
from graft.common.seeds import generator
from graft.console import say
from graft.data.batches import consecutive, read_batches
from graft.data.task import Samples, Task
from graft.training import augment
from graft.training.checkpoint import Checkpoint
from graft.training.penalty import Pull, l1, l2
from graft.training.settings import Augment, Recipe, Training
from graft.training.state import Row, State, make_optimizer, restore_state, save_state

PREDICTED_AT_ONCE = 64  # samples

Log = Callable[[Row], None]


@dataclass(frozen=True)
class Plan:
    """How to train.

    Attributes:
        recipe: the parameters of the stage.
        training: the parameters that all trainings share.
        augment: the limits of the transforms.
        seed: of all random draws.
        purpose: such as `ensemble-bagging/3`. Trainings with other purposes draw other numbers.
        checkpoints: the folder of the checkpoints of all stages.
        pull: the penalty on the distance from pretrained weights, if there are any.
        keep_start: whether the network before training, epoch 0, may be the best one.
    """

    recipe: Recipe
    training: Training
    augment: Augment
    seed: int
    purpose: str
    checkpoints: Path
    pull: Pull | None = None
    keep_start: bool = False

    @property
    def stage(self) -> str:
        """The stage that trains: `ensemble-bagging` for the purpose `ensemble-bagging/3`."""
        return self.purpose.partition("/")[0]


def fit_network(
    network: nn.Module,
    task: Task,
    plan: Plan,
    checkpoint: Checkpoint,
    log: Log,
    weights: Tensor | None = None,
) -> Row:
    """Train `network` in place, and leave it with the weights of its best epoch.

    Args:
        network: takes images (B, C, *spatial), and covariates if the task has any.
        task: what the network trains on and is validated on.
        plan: how to train.
        checkpoint: where to resume from, and where to save.
        log: gets one row per epoch. Epoch 0 is the network before training. A resumed training
            logs the earlier rows again.
        weights: (N,) of the training samples, on average 1. They are multiplied by the class
            weights.

    Returns:
        The row of the best epoch: `epoch`, `validation_loss`, `validation_accuracy` and, after
        epoch 0, `train_loss` and `penalty`.

    Raises:
        InputError: if the loss or the penalty is not finite.
    """
    weights_of_classes = class_weights(task, plan.training.class_weights)
    weights_of_samples = weights_of_classes[task.train.labels]  # (N,)
    if weights is not None:
        weights_of_samples = weights_of_samples * weights
    optimizer = make_optimizer(network, plan.recipe, plan.training)
    state = restore_state(network, optimizer, checkpoint)
    if state is None:
        state = _start(network, optimizer, task, weights_of_classes)
    elif not _is_finished(state.history, plan):
        say(f"{plan.purpose}: resumes after epoch {state.history[-1]['epoch']}")
    for row in state.history:
        log(row)
    while not _is_finished(state.history, plan):
        epoch = len(state.history)
        losses = _train_epoch(state, task.train, weights_of_samples, plan, epoch)
        validated = _validate(network, task.validation, weights_of_classes)
        row = {"epoch": epoch, **losses, **validated}
        state.history.append(row)
        if _best_row(state.history, plan) is row:
            state.best = copy.deepcopy(network.state_dict())
        log(row)
        if checkpoint.due() or _is_finished(state.history, plan):
            save_state(state, checkpoint)
    network.load_state_dict(state.best)
    return _best_row(state.history, plan)


def augmented_loss(
    loss: Callable[[Tensor], Tensor],
    images: Tensor,
    transforms: list[augment.Transform],
) -> Tensor:
    """The loss of a batch xᵢ of N and of its M transforms Tⱼ(xᵢ), a scalar ().

    It is (1/N) Σᵢ L(f(xᵢ), yᵢ) + (1/M) Σⱼ (1/N) Σᵢ L(f(Tⱼ(xᵢ)), yᵢ). Without transforms it is the
    plain loss, the first term.

    Args:
        loss: maps images (N·(1 + M), C, *spatial), the batch followed by its transforms, to the
            losses (N·(1 + M),).
        images: (N, C, *spatial).
        transforms: M of N samples each.
    """
    copies = [images]
    for transform in transforms:
        copies.append(augment.apply(images, transform))
    losses = loss(torch.cat(copies))
    means = losses.view(len(copies), -1).mean(1)  # (1 + M,)
    if not transforms:
        return means[0]
    return means[0] + means[1:].mean()


def class_weights(task: Task, kind: str) -> Tensor:
    """The weight of each class in the loss: (C,).

    If `kind` is "balanced", a class with N_c of the N training samples gets N / (C·N_c), which is
    1 on average over the samples. If it is "none", each class gets 1.
    """
    counts = task.train.labels.bincount(minlength=len(task.domain.classes))
    if kind == "balanced":
        return len(task.train) / (len(counts) * counts)
    return torch.ones_like(counts).float()


def learning_rate(recipe: Recipe, schedule: str, done: float) -> float:
    """The learning rate after a share `done` of all steps, in [0, 1].

    The schedule "cosine" falls from `recipe.lr` to 0, and "constant" stays there.
    """
    if schedule == "cosine":
        return recipe.lr * 0.5 * (1 + math.cos(math.pi * done))
    return recipe.lr


@torch.no_grad()
def logits(network: nn.Module, samples: Samples) -> Tensor:
    """The logits (N, classes) of samples without transforms. The network stays in eval mode."""
    network.eval()
    chunks = []
    batches = consecutive(len(samples), PREDICTED_AT_ONCE)
    images_of_batches = read_batches(samples.images, batches, samples.labels.device)
    for rows, images in zip(batches, images_of_batches, strict=True):
        chunks.append(network(images, samples.covariates_of(rows)))
    return torch.cat(chunks)


def _train_epoch(
    state: State,
    train: Samples,
    weights: Tensor,
    plan: Plan,
    epoch: int,
) -> Row:
    """Train for one epoch, and return the mean loss and the mean penalty of its samples."""
    state.network.train()
    random = generator(plan.seed, plan.purpose, "epoch", epoch)
    order = torch.from_numpy(random.permutation(len(train)))
    batches = order.split(plan.training.batch)
    images_of_batches = read_batches(train.images, batches, train.labels.device)
    sums = torch.zeros(2, dtype=torch.float64)  # of the losses and of the penalties
    for step, (rows, images) in enumerate(zip(batches, images_of_batches, strict=True)):
        done = (epoch - 1 + step / len(batches)) / plan.recipe.epochs
        lr = learning_rate(plan.recipe, plan.training.schedule, done)
        for group in state.optimizer.param_groups:
            group["lr"] = lr
        terms = _train_step(
            state,
            train,
            rows.to(train.labels.device),
            images,
            weights,
            plan,
            random,
        )
        sums += terms.cpu() * len(rows)
    loss_mean, penalty_mean = (sums / len(train)).tolist()
    if not math.isfinite(loss_mean + penalty_mean):
        raise InputError(
            f"{plan.purpose}: the loss became {loss_mean} and the penalty {penalty_mean} in epoch "
            f"{epoch} with lr {plan.recipe.lr}; expected finite numbers, which a lower lr, lambda, "
            "l1 or l2 gives"
        )
    return {"train_loss": loss_mean, "penalty": penalty_mean}


def _train_step(
    state: State,
    train: Samples,
    rows: Tensor,
    images: Tensor,
    weights: Tensor,
    plan: Plan,
    random: np.random.Generator,
) -> Tensor:
    """Train on one batch of images (B, C, *spatial), and return its loss and its penalty: (2,)."""
    dimensions = images.ndim - 2
    transforms = []
    for _ in range(plan.recipe.transforms):
        transform = augment.draw(plan.augment, len(rows), dimensions, random)
        transforms.append(transform)
    sample_losses = _sample_losses(state.network, train, rows, weights)
    loss = augmented_loss(sample_losses, images, transforms)
    penalty = _penalty(state.network, plan)
    state.optimizer.zero_grad()
    (loss + penalty).backward()
    state.optimizer.step()
    return torch.stack([loss.detach(), penalty.detach()])


def _sample_losses(
    network: nn.Module,
    train: Samples,
    rows: Tensor,
    weights: Tensor,
) -> Callable[[Tensor], Tensor]:
    """A function from images (copies·B, C, *spatial) of these rows to their weighted losses."""

    def losses(images: Tensor) -> Tensor:
        copies = len(images) // len(rows)
        covariates = train.covariates_of(rows)  # (B, K) or None
        if covariates is not None:
            covariates = covariates.repeat(copies, 1)
        outputs = network(images, covariates)  # (copies·B, classes)
        labels = train.labels[rows].repeat(copies)
        unweighted = F.cross_entropy(outputs, labels, reduction="none")
        return unweighted * weights[rows].repeat(copies)

    return losses


def _penalty(network: nn.Module, plan: Plan) -> Tensor:
    """The sum of the penalties with a weight above 0, a scalar ()."""
    penalty = next(network.parameters()).new_zeros(())
    if plan.pull and plan.pull.weight:
        penalty = penalty + plan.pull(network)
    if plan.recipe.l1:
        penalty = penalty + plan.recipe.l1 * l1(network)
    if plan.recipe.l2:
        penalty = penalty + plan.recipe.l2 * l2(network)
    return penalty


def _validate(
    network: nn.Module,
    validation: Samples,
    weights_of_classes: Tensor,
) -> Row:
    """The weighted mean loss and accuracy on the validation part."""
    outputs = logits(network, validation)  # (N, classes)
    losses = F.cross_entropy(outputs, validation.labels, reduction="none")
    right = (outputs.argmax(1) == validation.labels).float()
    weights = weights_of_classes[validation.labels]  # (N,)
    total = weights.sum()
    return {
        "validation_loss": float((weights * losses).sum() / total),
        "validation_accuracy": float((weights * right).sum() / total),
    }


def _best_row(history: list[Row], plan: Plan) -> Row:
    """The row with the lowest validation loss. Of equal ones it is the earliest.

    Epoch 0 is a candidate only if the plan keeps the start or if there is no other epoch.
    """
    candidates = history
    if len(history) > 1 and not plan.keep_start:
        candidates = history[1:]
    return min(candidates, key=lambda row: row["validation_loss"])


def _is_finished(history: list[Row], plan: Plan) -> bool:
    """Whether all epochs are done, or `patience` epochs have passed since the best one."""
    newest = history[-1]["epoch"]
    since_best = newest - _best_row(history, plan)["epoch"]
    return newest >= plan.recipe.epochs or since_best >= plan.recipe.patience


def _start(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    task: Task,
    weights_of_classes: Tensor,
) -> State:
    """The state before training: epoch 0 is the best one so far."""
    validated = _validate(network, task.validation, weights_of_classes)
    first = {"epoch": 0, **validated}
    best = copy.deepcopy(network.state_dict())
    return State(network, optimizer, best, [first])
