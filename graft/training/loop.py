"""The training loop, one for every stage."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

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

Row = dict[str, float]


@dataclass(frozen=True)
class Plan:
    """How to train: the parameters, the seed, and what the run is for (which keys its random draws).

    `keep_start` lets the network as it came, epoch 0, be the best one: where it already solves the task.
    """

    recipe: Recipe
    training: Training
    augment: Augment
    seed: int
    purpose: str
    pull: Pull | None = None
    keep_start: bool = False

    @property
    def stage(self) -> str:
        """The stage a purpose belongs to: `ensemble-bagging` of `ensemble-bagging/3`."""
        return self.purpose.partition("/")[0]


@dataclass
class _State:
    """Where a run stands: what a checkpoint holds."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    best: dict[str, Tensor]
    history: list[Row]


def fit_network(
    network: nn.Module,
    task: Task,
    plan: Plan,
    checkpoint: Checkpoint,
    log: Callable[[Row], None],
    weights: Tensor | None = None,
) -> Row:
    """Train `network` in place and leave it with the weights of its best epoch; returns that epoch's row.

    `weights` (N,) weigh the training samples, on average by 1; class weights come on top. `log` gets a row
    an epoch, after a resumed start the earlier ones again; epoch 0 is the network as it came.
    """
    classes = class_weights(task, plan.training.class_weights)
    weights = classes[task.train.labels] * (1 if weights is None else weights)
    state = _resume(network, plan, checkpoint)
    if state:
        say(f"{plan.purpose}: goes on after epoch {state.history[-1]['epoch']}, from a checkpoint")
    state = state or _start(network, task, plan, classes)
    for row in state.history:
        log(row)
    while not _finished(state.history, plan):
        epoch = len(state.history)
        losses = _train_epoch(state, task.train, weights, plan, epoch)
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
    """(1/N) Σᵢ L(f(xᵢ), yᵢ) + (1/M) Σⱼ (1/N) Σᵢ L(f(Tⱼ(xᵢ)), yᵢ) over one batch of N samples, a scalar ().

    `loss` maps (N·(1 + M), C, *spatial), the batch and its transforms one after the other, to the
    losses of all these samples. With no transforms it is the plain loss.
    """
    everything = torch.cat(
        [images, *(augment.apply(images, transform) for transform in transforms)]
    )
    means = loss(everything).view(1 + len(transforms), -1).mean(1)  # (1 + M,)
    return means[0] + means[1:].mean() if transforms else means[0]


def class_weights(task: Task, kind: str) -> Tensor:
    """Weights (classes,): N / (C·N_c) for `balanced`, so that they are 1 on average over the samples; else 1."""
    counts = task.train.labels.bincount(minlength=len(task.domain.classes))
    return (
        len(task.train) / (len(counts) * counts)
        if kind == "balanced"
        else torch.ones_like(counts).float()
    )


def learning_rate(recipe: Recipe, schedule: str, done: float) -> float:
    """The learning rate after a share `done` in [0, 1] of all steps; `cosine` falls from lr to 0."""
    return recipe.lr * (0.5 * (1 + math.cos(math.pi * done)) if schedule == "cosine" else 1.0)


def _train_epoch(state: _State, train: Samples, weights: Tensor, plan: Plan, epoch: int) -> Row:
    network, recipe = state.network.train(), plan.recipe
    random = generator(plan.seed, plan.purpose, "epoch", epoch)
    batches = torch.from_numpy(random.permutation(len(train))).split(plan.training.batch)
    sums = torch.zeros(2, dtype=torch.float64)
    for step, rows in enumerate(batches):
        rows = rows.to(train.labels.device)
        images, labels = train.images[rows].float(), train.labels[rows]  # (B, C, *spatial), (B,)
        transforms = [
            augment.draw(plan.augment, len(rows), images.ndim - 2, random)
            for _ in range(recipe.transforms)
        ]

        def loss(everything: Tensor, labels: Tensor = labels, rows: Tensor = rows) -> Tensor:
            copies = len(everything) // len(rows)
            known = (
                covariates.repeat(copies, 1) for covariates in train.known(rows)
            )  # (B, K), none or one
            each = F.cross_entropy(
                network(everything, *known), labels.repeat(copies), reduction="none"
            )
            return each * weights[rows].repeat(copies)

        data_loss = augmented_loss(loss, images, transforms)
        penalty = _penalty(network, plan)
        for group in state.optimizer.param_groups:
            done = (epoch - 1 + step / len(batches)) / recipe.epochs
            group["lr"] = learning_rate(recipe, plan.training.schedule, done)
        state.optimizer.zero_grad()
        (data_loss + penalty).backward()
        state.optimizer.step()
        sums += torch.stack([data_loss.detach(), penalty.detach()]).cpu() * len(rows)
    loss_mean, penalty_mean = (sums / len(train)).tolist()
    if not math.isfinite(loss_mean + penalty_mean):
        raise InputError(
            f"{plan.purpose}: the loss became {loss_mean} and the penalty {penalty_mean} in epoch {epoch} "
            f"with lr {recipe.lr}; expected finite numbers, as a lower lr, lambda, l1 or l2 gives"
        )
    return {"train_loss": loss_mean, "penalty": penalty_mean}


def _penalty(network: nn.Module, plan: Plan) -> Tensor:
    penalty = next(network.parameters()).new_zeros(())
    if plan.pull and plan.pull.weight:
        penalty = penalty + plan.pull(network)
    if plan.recipe.l1:
        penalty = penalty + plan.recipe.l1 * l1(network)
    if plan.recipe.l2:
        penalty = penalty + plan.recipe.l2 * l2(network)
    return penalty


@torch.no_grad()
def logits(network: nn.Module, samples: Samples) -> Tensor:
    """The logits (N, classes) of samples as they are, without transforms."""
    network.eval()
    batches = (slice(start, start + 64) for start in range(0, len(samples), 64))
    return torch.cat(
        [network(samples.images[rows].float(), *samples.known(rows)) for rows in batches]
    )


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
    """The epoch with the lowest validation loss, the earliest of equals."""
    candidates = history if plan.keep_start or len(history) == 1 else history[1:]
    return min(candidates, key=lambda row: row["validation_loss"])


def _finished(history: list[Row], plan: Plan) -> bool:
    newest = history[-1]["epoch"]
    return (
        newest >= plan.recipe.epochs
        or newest - _best(history, plan)["epoch"] >= plan.recipe.patience
    )


def _start(network: nn.Module, task: Task, plan: Plan, classes: Tensor) -> _State:
    first = {"epoch": 0, **_validate(network, task.validation, classes)}
    return _State(network, _optimizer(network, plan), copy.deepcopy(network.state_dict()), [first])


def _optimizer(network: nn.Module, plan: Plan) -> torch.optim.Optimizer:
    kind = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}[plan.training.optimizer]
    return kind(network.parameters(), lr=plan.recipe.lr, weight_decay=plan.training.weight_decay)


def _pack(state: _State) -> tuple[dict[str, Tensor], dict]:
    tensors = {f"network.{name}": t for name, t in state.network.state_dict().items()}
    tensors |= {f"best.{name}": t for name, t in state.best.items()}
    for k, slots in state.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{k}.{slot}": t for slot, t in slots.items()}
    return {name: t.detach().cpu().contiguous() for name, t in tensors.items()}, {
        "history": state.history
    }


def _resume(network: nn.Module, plan: Plan, checkpoint: Checkpoint) -> _State | None:
    saved = checkpoint.load()
    if saved is None:
        return None
    tensors, progress = saved
    device = next(network.parameters()).device
    network.load_state_dict(
        {n.removeprefix("network."): t for n, t in tensors.items() if n.startswith("network.")}
    )
    best = {
        n.removeprefix("best."): t.to(device) for n, t in tensors.items() if n.startswith("best.")
    }
    optimizer = _optimizer(network, plan)
    slots: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, k, slot = name.split(".")
            slots.setdefault(int(k), {})[slot] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": slots})
    return _State(network, optimizer, best, progress["history"])
