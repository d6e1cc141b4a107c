"""The losses of tasks of three kinds, each per lesion."""

from torch import Tensor
from torch.nn import functional as F

from graft.data.tasks import TaskColumn


def width(column: TaskColumn) -> int:
    """How many outputs the head of a task has."""
    widths = {
        "category": len(column.get("categories", ())),
        "ordinal": len(column.get("levels", ())) - 1,
        "number": 1,
    }
    return widths[column["kind"]]


def task_losses(kind: str, outputs: Tensor, labels: Tensor, levels: Tensor) -> Tensor:
    """The loss (B,) of each lesion, 0 if its label is unknown.

    It is the cross-entropy of a category, half the squared error of a standardised number, and
    `ordinal_losses` of a rating.

    Args:
        kind: category, ordinal or number.
        outputs: (B, width) of the head.
        labels: (B,) as `encode_tasks` encodes them, NaN if unknown.
        levels: (K − 1,) the ratings below the highest one, in rising order, of an ordinal task.
    """
    known = ~labels.isnan()
    filled = labels.nan_to_num()  # a NaN would reach the gradient even with the weight 0
    if kind == "category":
        losses = F.cross_entropy(outputs, filled.long(), reduction="none")
    elif kind == "ordinal":
        losses = ordinal_losses(outputs, filled, levels)
    else:
        losses = (outputs[:, 0] - filled).square() / 2
    return losses * known


def ordinal_losses(outputs: Tensor, ratings: Tensor, levels: Tensor) -> Tensor:
    """The mean over the K − 1 lower levels of the cross-entropy of "the rating is above it": (B,).

    All K − 1 outputs share their weights and differ by their bias only, so they rank lesions by one
    number: Cao, Mirjalili and Raschka, "Rank consistent ordinal regression for neural networks"
    (CORAL), Pattern Recognition Letters 140 (2020). Their sum over the levels is a mean here, so
    that a task does not count more because it has more levels.

    Args:
        outputs: (B, K − 1), the logits.
        ratings: (B,).
        levels: (K − 1,) in rising order, without the highest one.
    """
    above = (ratings[:, None] > levels).to(outputs)  # (B, K − 1)
    return F.binary_cross_entropy_with_logits(outputs, above, reduction="none").mean(1)


def weigh_by_uncertainty(losses: Tensor, log_variances: Tensor) -> Tensor:
    """The losses (..., T) of T tasks, each as exp(−s)·L + s/2, where s = log σ² is learned.

    σ² is the noise of a task's labels. For L = ½(y − f)² this is the negative log likelihood of a
    Gaussian, without its constant. For a cross-entropy it approximates that of a softmax at the
    temperature σ². Kendall, Gal and Cipolla, "Multi-task learning using uncertainty to weigh
    losses", CVPR 2018, equations 7 and 10.

    Args:
        losses: (..., T).
        log_variances: s (T,).
    """
    return (-log_variances).exp() * losses + log_variances / 2
