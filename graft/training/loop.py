"""The training loop, one for every stage."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graft.console import say
from graft.data.batches import consecutive, read_batches
from graft.data.task import Samples, Task
from graft.training.checkpoint import Checkpoint
from graft.training.epoch import Epochs
from graft.training.loss import class_weights
from graft.training.objective import Objective
from graft.training.plan import Plan
from graft.training.state import Row, State, make_optimizer, restore_state, save_state

PREDICTED_AT_ONCE = 64  # samples

Log = Callable[[Row], None]


def fit_network(
    network: nn.Module,
    task: Task,
    plan: Plan,
    checkpoint: Checkpoint,
    log: Log,
    weights: Tensor | None = None,
) -> Row:
    """Train `network` in place, and leave it with the weights of its best epoch.

    Without samples to validate on, all epochs of the recipe run, and the last one counts as the
    best.

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
        The row of the best epoch: `epoch`; after epoch 0, `train_loss` and `penalty`; and, if there
        are samples to validate on, `validation_loss` and `validation_accuracy`.

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
        state = _start(network, optimizer, task, weights_of_classes, plan.objective)
    elif not _is_finished(state.history, plan):
        say(f"{plan.purpose}: resumes after epoch {state.history[-1]['epoch']}")
    for row in state.history:
        log(row)
    epochs = Epochs(state, task.train, weights_of_samples, plan)
    while not _is_finished(state.history, plan):
        epoch = len(state.history)
        losses = epochs.run(epoch)
        validated = _validate(network, task.validation, weights_of_classes, plan.objective)
        row = {"epoch": epoch, **losses, **validated}
        state.history.append(row)
        if _best_row(state.history, plan) is row:
            state.best = copy.deepcopy(network.state_dict())
        log(row)
        if checkpoint.due() or _is_finished(state.history, plan):
            save_state(state, checkpoint)
    network.load_state_dict(state.best)
    return _best_row(state.history, plan)


@torch.no_grad()
def logits(network: nn.Module, samples: Samples) -> Tensor:
    """The logits (N, classes) of samples without transforms, and any further outputs beside them.

    The network stays in eval mode.
    """
    network.eval()
    chunks = []
    batches = consecutive(len(samples), PREDICTED_AT_ONCE)
    images_of_batches = read_batches(samples.images, batches, samples.labels.device)
    for rows, images in zip(batches, images_of_batches, strict=True):
        chunks.append(network(images, samples.covariates_of(rows)))
    return torch.cat(chunks)


def validate_unchanged(network: nn.Module, task: Task, plan: Plan, log: Log | None) -> Row:
    """Log the row of an epoch 0, of a network that does not train, and return it."""
    row = {"epoch": 0, **validate(network, task, plan)}
    if log is not None:
        log(row)
    return row


def validate(network: nn.Module, task: Task, plan: Plan) -> Row:
    """The validation loss and accuracy as `fit_network` computes them; empty without samples."""
    weights = class_weights(task, plan.training.class_weights)
    return _validate(network, task.validation, weights, plan.objective)


def _validate(
    network: nn.Module,
    validation: Samples,
    weights_of_classes: Tensor,
    objective: Objective | None,
) -> Row:
    """The weighted mean loss, over all tasks, and accuracy of validation; empty without samples."""
    if not len(validation):
        return {}
    outputs = logits(network, validation)  # (N, outputs)
    of_classes = outputs[:, : objective.classes] if objective else outputs  # (N, classes)
    losses = F.cross_entropy(of_classes, validation.labels, reduction="none")
    right = (of_classes.argmax(1) == validation.labels).float()
    weights = weights_of_classes[validation.labels]  # (N,)
    total = weights.sum()
    loss = (weights * losses).sum() / total
    if objective:
        loss = objective.validation_loss(loss, outputs)
    return {
        "validation_loss": float(loss),
        "validation_accuracy": float((weights * right).sum() / total),
    }


def _best_row(history: list[Row], plan: Plan) -> Row:
    """The row with the lowest validation loss. Of equal ones it is the earliest.

    Epoch 0 is a candidate only if the plan keeps the start or if there is no other epoch. Without
    validation it is the last row.
    """
    if "validation_loss" not in history[0]:
        return history[-1]
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
    objective: Objective | None,
) -> State:
    """The state before training: epoch 0 is the best one so far."""
    validated = _validate(network, task.validation, weights_of_classes, objective)
    first = {"epoch": 0, **validated}
    best = copy.deepcopy(network.state_dict())
    return State(network, optimizer, best, [first])
