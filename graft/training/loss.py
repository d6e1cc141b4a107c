"""The loss of a batch and of its transforms, and the penalties."""

import math

import torch
from torch import Tensor, nn

from graft.data.task import Task
from graft.training.penalty import l1, l2
from graft.training.plan import Plan
from graft.training.settings import Recipe


def augmented_loss(losses: Tensor, batch: int) -> Tensor:
    """The loss of a batch xᵢ of N and of its M transforms Tⱼ(xᵢ), a scalar ().

    It is (1/N) Σᵢ L(f(xᵢ), yᵢ) + (1/M) Σⱼ (1/N) Σᵢ L(f(Tⱼ(xᵢ)), yᵢ). Without transforms it is the
    plain loss, the first term.

    Args:
        losses: (N·(1 + M),), of the batch followed by its transforms.
        batch: N.
    """
    plain = losses[:batch].mean()
    if len(losses) == batch:
        return plain
    return plain + losses[batch:].mean()


def class_weights(task: Task, kind: str) -> Tensor:
    """The weight of each class in the loss: (C,).

    If `kind` is "balanced", a class with N_c of the N training samples gets N / (C·N_c), which is
    1 on average over the samples. If it is "none", each class gets 1.
    """
    classes = len(task.domain.classes)
    counts = task.train.labels.bincount(minlength=classes).clamp(min=1)  # of an absent class too
    if kind == "balanced":
        return len(task.train) / (classes * counts)
    return torch.ones_like(counts).float()


def learning_rate(recipe: Recipe, schedule: str, done: float) -> float:
    """The learning rate after a share `done` of all steps, in [0, 1].

    The schedule "cosine" falls from `recipe.lr` to 0, and "constant" stays there.
    """
    if schedule == "cosine":
        return recipe.lr * 0.5 * (1 + math.cos(math.pi * done))
    return recipe.lr


def penalty(network: nn.Module, plan: Plan) -> Tensor:
    """The sum of the penalties with a weight above 0, a scalar ()."""
    total = next(network.parameters()).new_zeros(())
    if plan.pull and plan.pull.weight:
        total = total + plan.pull(network)
    if plan.recipe.l1:
        total = total + plan.recipe.l1 * l1(network)
    if plan.recipe.l2:
        total = total + plan.recipe.l2 * l2(network)
    return total
