"""WiSE-FT: the mean of the weights before and after fine-tuning, (1 − α)·θ_start + α·θ_tuned.

Source: Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022. Their start predicts
without training. Here it is the head of the source, or a linear probe if that has other classes.
"""

import copy
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from graft.common.files import InputError
from graft.data.task import Samples, Task
from graft.networks.classifier import Classifier
from graft.strategies import l2_sp
from graft.strategies.inner_folds import inner_tasks
from graft.training.loop import Log, logits, validate
from graft.training.loss import class_weights
from graft.training.plan import Plan
from graft.training.state import Row
from graft.transfer.start import Start, fit_start

SHARES = tuple(np.linspace(0, 1, 11).round(1).tolist())  # α, the share of the fine-tuned weights
DEFAULT_SHARE = 0.5  # if nobody can be held out; the paper's recommendation without validation
LOSS_DECIMALS = 6  # equal losses may differ in their last bits

Weights = Mapping[str, Tensor]


def train(start: Start, task: Task, plan: Plan, log: Log | None, show: bool) -> Row:
    """Train in place as L2-SP does, and mix the weights with those of the start.

    α is the one of SHARES with the lowest loss on the validation part. Without one, a network is
    fine-tuned without each inner fold of the patients and predicts that fold, which costs as many
    more trainings as there are folds. Of equal ones it is the one closest to the start.

    Returns:
        The row of the best epoch of fine-tuning, with the validation of the mixed network and α
        as `fine_tuned_share`.

    Raises:
        InputError: if the head is random.
    """
    if start.head == "new":
        raise InputError(
            "finetune.head: got 'new' with the strategy 'wise-ft', whose start has to predict; "
            "expected 'auto' or 'pretrained'"
        )
    weights = class_weights(task, plan.training.class_weights)
    losses = []
    if not len(task.validation):
        for inner, held_out in inner_tasks(task):
            alone = copy.deepcopy(start)
            _, ends = _fine_tune(alone, inner, plan, None, False)
            losses.append(_losses_by_share(alone.network, ends, held_out, weights))
    row, ends = _fine_tune(start, task, plan, log, show)
    if len(task.validation):
        losses.append(_losses_by_share(start.network, ends, task.validation, weights))
    share = best_share(losses)
    start.network.load_state_dict(mix(*ends, share))
    return {**row, **validate(start.network, task, plan), "fine_tuned_share": share}


def mix(start: Weights, tuned: Weights, share: float) -> dict[str, Tensor]:
    """The weights (1 − α)·start + α·tuned, by name. With α = 0 or 1 they are exactly one of both.

    Args:
        start: before fine-tuning.
        tuned: after it.
        share: α.
    """
    return {name: torch.lerp(start[name], tuned[name], share) for name in start}


def best_share(losses: Sequence[np.ndarray]) -> float:
    """The one of SHARES with the lowest sum of losses; DEFAULT_SHARE without any.

    Args:
        losses: for each group of cases that were held out, (SHARES,).
    """
    if not losses:
        return DEFAULT_SHARE
    total = np.sum(losses, axis=0)
    return SHARES[int(np.argmin(np.round(total, LOSS_DECIMALS)))]


def _fine_tune(
    start: Start, task: Task, plan: Plan, log: Log | None, show: bool
) -> tuple[Row, tuple[Weights, Weights]]:
    """Train in place as L2-SP does: the row of the best epoch, and the weights before and after."""
    start = l2_sp.prepare_head(start, task, plan)
    before = copy.deepcopy(start.network.state_dict())
    row = fit_start(start, task, plan, log, show)
    return row, (before, copy.deepcopy(start.network.state_dict()))


def _losses_by_share(
    network: Classifier, ends: tuple[Weights, Weights], held_out: Samples, weights: Tensor
) -> np.ndarray:
    """The sum of the losses of samples, weighted by class, for each of SHARES: (SHARES,)."""
    losses = []
    for share in SHARES:
        network.load_state_dict(mix(*ends, share))
        outputs = logits(network, held_out)
        loss = F.cross_entropy(outputs, held_out.labels, weights, reduction="sum")
        losses.append(loss.item())
    return np.array(losses)
