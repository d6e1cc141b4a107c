"""The training loop, one for every stage."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graft.common.files import InputError
from graft.common.seeds import generator
from graft.console import say
from graft.data.task import Samples, Task
from graft.training import augment
from graft.training.checkpoint import Checkpoint
from graft.training.penalty import Pull, l1, l2
from graft.training.settings import Augment, Recipe, Training

PREDICTED_AT_ONCE = 64  # samples
OPTIMIZERS = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}

Row = dict[str, float]
Log = Callable[[Row], None]


@dataclass(frozen=True)
class Plan:
    """How to train: the parameters, the seed, and the purpose, which keys the random draws.

    `checkpoints` is the folder of the checkpoints of all stages. With `keep_start`, the network as
    it was before training, epoch 0, may be the best one.
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
        """The stage of a purpose: `ensemble-bagging` of `ensemble-bagging/3`."""
        return self.purpose.partition("/")[0]


@dataclass
class _State:
    """The state of a training, as a checkpoint contains it."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    best: dict[str, Tensor]
    history: list[Row]


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
        task: what it trains on and what it is validated on.
        plan: how to train.
        checkpoint: where to resume from, and where to save.
        log: gets one row per epoch. Epoch 0 is the network before training. After a resumed start
            it gets the earlier rows again.
        weights: (N,) of the training samples, on average 1. Class weights are multiplied with them.

    Returns:
        The row of the best epoch.
    """
    classes = class_weights(task, plan.training.class_weights)
    each = classes[task.train.labels]  # (N,)
    if weights is not None:
        each = each * weights
    state = _resume(network, plan, checkpoint)
    if state:
        say(f"{plan.purpose}: resumes after epoch {state.history[-1]['epoch']}")
    else:
        state = _start(network, task, plan, classes)
    for row in state.history:
        log(row)
    while not _finished(state.history, plan):
        epoch = len(state.history)
        losses = _train_epoch(state, task.train, each, plan, epoch)
        row = {"epoch": epoch, **losses, **_validate(network, task.validation, classes)}
        state.history.append(row)
        if _best(state.history, plan) is row:
            state.best = copy.deepcopy(network.state_dict())
        log(row)
        if checkpoint.due() or _finished(state.history, plan):
            checkpoint.save(*_pack(state))
    network.load_state_dict(state.best)
    return _best(state.history, plan)


def augmented_loss(
    loss: Callable[[Tensor], Tensor], images: Tensor, transforms: list[augment.Transform]
) -> Tensor:
    """(1/N) Σᵢ L(f(xᵢ), yᵢ) + (1/M) Σⱼ (1/N) Σᵢ L(f(Tⱼ(xᵢ)), yᵢ) over one batch of N, a scalar ().

    `loss` maps (N·(1 + M), C, *spatial), the batch followed by its M transforms, to the losses of
    all these samples. Without transforms the result is the plain loss.
    """
    copies = [images]
    for transform in transforms:
        copies.append(augment.apply(images, transform))
    means = loss(torch.cat(copies)).view(len(copies), -1).mean(1)  # (1 + M,)
    return means[0] + means[1:].mean() if transforms else means[0]


def class_weights(task: Task, kind: str) -> Tensor:
    """Weights (classes,): N / (C·N_c) if `kind` is `balanced`, which is 1 on average; else 1."""
    counts = task.train.labels.bincount(minlength=len(task.domain.classes))
    if kind == "balanced":
        return len(task.train) / (len(counts) * counts)
    return torch.ones_like(counts).float()


def learning_rate(recipe: Recipe, schedule: str, done: float) -> float:
    """The learning rate after a share `done` of all steps. `cosine` falls from lr to 0."""
    if schedule == "cosine":
        return recipe.lr * 0.5 * (1 + math.cos(math.pi * done))
    return recipe.lr


@torch.no_grad()
def logits(network: nn.Module, samples: Samples) -> Tensor:
    """The logits (N, classes) of samples without transforms."""
    network.eval()
    chunks = []
    for start in range(0, len(samples), PREDICTED_AT_ONCE):
        rows = slice(start, start + PREDICTED_AT_ONCE)
        chunks.append(network(samples.images[rows].float(), samples.covariates_of(rows)))
    return torch.cat(chunks)


def _train_epoch(state: _State, train: Samples, weights: Tensor, plan: Plan, epoch: int) -> Row:
    network, recipe = state.network.train(), plan.recipe
    random = generator(plan.seed, plan.purpose, "epoch", epoch)
    batches = torch.from_numpy(random.permutation(len(train))).split(plan.training.batch)
    sums = torch.zeros(2, dtype=torch.float64)
    for step, rows in enumerate(batches):
        rows = rows.to(train.labels.device)
        images = train.images[rows].float()  # (B, C, *spatial)
        transforms = []
        for _ in range(recipe.transforms):
            transforms.append(augment.draw(plan.augment, len(rows), images.ndim - 2, random))
        data_loss = augmented_loss(
            _sample_losses(network, train, rows, weights), images, transforms
        )
        penalty = _penalty(network, plan)
        done = (epoch - 1 + step / len(batches)) / recipe.epochs
        for group in state.optimizer.param_groups:
            group["lr"] = learning_rate(recipe, plan.training.schedule, done)
        state.optimizer.zero_grad()
        (data_loss + penalty).backward()
        state.optimizer.step()
        sums += torch.stack([data_loss.detach(), penalty.detach()]).cpu() * len(rows)
    loss_mean, penalty_mean = (sums / len(train)).tolist()
    if not math.isfinite(loss_mean + penalty_mean):
        raise InputError(
            f"{plan.purpose}: the loss became {loss_mean} and the penalty {penalty_mean} in epoch "
            f"{epoch} with lr {recipe.lr}; expected finite numbers, which a lower lr, lambda, l1 "
            "or l2 gives"
        )
    return {"train_loss": loss_mean, "penalty": penalty_mean}


def _sample_losses(
    network: nn.Module, train: Samples, rows: Tensor, weights: Tensor
) -> Callable[[Tensor], Tensor]:
    """A function from images (B·copies, C, *spatial) of these rows to their weighted losses."""

    def losses(images: Tensor) -> Tensor:
        copies = len(images) // len(rows)
        covariates = train.covariates_of(rows)  # (B, K) or None
        if covariates is not None:
            covariates = covariates.repeat(copies, 1)
        outputs = network(images, covariates)
        labels = train.labels[rows].repeat(copies)
        each = F.cross_entropy(outputs, labels, reduction="none")
        return each * weights[rows].repeat(copies)

    return losses


def _penalty(network: nn.Module, plan: Plan) -> Tensor:
    penalty = next(network.parameters()).new_zeros(())
    if plan.pull and plan.pull.weight:
        penalty = penalty + plan.pull(network)
    if plan.recipe.l1:
        penalty = penalty + plan.recipe.l1 * l1(network)
    if plan.recipe.l2:
        penalty = penalty + plan.recipe.l2 * l2(network)
    return penalty


def _validate(network: nn.Module, validation: Samples, classes: Tensor) -> Row:
    outputs = logits(network, validation)
    weights = classes[validation.labels]
    losses = F.cross_entropy(outputs, validation.labels, reduction="none")
    right = (outputs.argmax(1) == validation.labels).float()
    return {
        "validation_loss": float((weights * losses).sum() / weights.sum()),
        "validation_accuracy": float((weights * right).sum() / weights.sum()),
    }


def _best(history: list[Row], plan: Plan) -> Row:
    """The epoch with the lowest validation loss. Of equal ones it is the earliest."""
    candidates = history if plan.keep_start or len(history) == 1 else history[1:]
    return min(candidates, key=lambda row: row["validation_loss"])


def _finished(history: list[Row], plan: Plan) -> bool:
    newest = history[-1]["epoch"]
    without_progress = newest - _best(history, plan)["epoch"]
    return newest >= plan.recipe.epochs or without_progress >= plan.recipe.patience


def _start(network: nn.Module, task: Task, plan: Plan, classes: Tensor) -> _State:
    first = {"epoch": 0, **_validate(network, task.validation, classes)}
    weights = copy.deepcopy(network.state_dict())
    return _State(network, _optimizer(network, plan), weights, [first])


def _optimizer(network: nn.Module, plan: Plan) -> torch.optim.Optimizer:
    kind = OPTIMIZERS[plan.training.optimizer]
    decay = plan.training.weight_decay
    return kind(network.parameters(), lr=plan.recipe.lr, weight_decay=decay)


def _pack(state: _State) -> tuple[dict[str, Tensor], dict]:
    """The tensors and the progress that a checkpoint saves."""
    tensors = {}
    for name, tensor in state.network.state_dict().items():
        tensors[f"network.{name}"] = tensor
    for name, tensor in state.best.items():
        tensors[f"best.{name}"] = tensor
    for k, slots in state.optimizer.state_dict()["state"].items():
        for slot, tensor in slots.items():
            tensors[f"optimizer.{k}.{slot}"] = tensor
    for name, tensor in tensors.items():
        tensors[name] = tensor.detach().cpu().contiguous()
    return tensors, {"history": state.history}


def _resume(network: nn.Module, plan: Plan, checkpoint: Checkpoint) -> _State | None:
    """The state that `_pack` took apart, if the checkpoint has one."""
    saved = checkpoint.load()
    if saved is None:
        return None
    tensors, progress = saved
    device = next(network.parameters()).device
    weights, best = {}, {}
    slots: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        kind, _, rest = name.partition(".")
        if kind == "network":
            weights[rest] = tensor
        elif kind == "best":
            best[rest] = tensor.to(device)
        else:
            k, _, slot = rest.partition(".")
            slots.setdefault(int(k), {})[slot] = tensor
    network.load_state_dict(weights)
    optimizer = _optimizer(network, plan)
    optimizer.load_state_dict({**optimizer.state_dict(), "state": slots})
    return _State(network, optimizer, best, progress["history"])
