"""The labels of further tasks of some lesions, and how much each label counts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from graft.common.files import InputError
from graft.data.domain import Domain
from graft.data.tasks import TaskColumn, encode_tasks


@dataclass(frozen=True)
class TaskLabels:
    """The labels of N lesions for T tasks.

    Attributes:
        values: (N, T) float32 as `encode_tasks` encodes them, NaN if unknown.
        weights: (N, T) float32, 0 if unknown.
    """

    values: Tensor
    weights: Tensor


def take_labels(
    domain: Domain,
    columns: Sequence[TaskColumn],
    rows: dict[str, np.ndarray],
    balanced: bool,
    device: torch.device,
) -> dict[str, TaskLabels]:
    """Take the labels of the training and the validation part.

    The weights of a task are 1 on average over the training part, whatever share of its labels is
    known. So the mean loss of a batch estimates the mean over the known labels, also if a batch has
    none. If `balanced` is true, the classes of a category have the same total weight there.
    Ratings and numbers all weigh the same: the highest rating may have a single lesion.

    Args:
        domain: that the rows belong to.
        columns: the tasks.
        rows: of the domain's index, by part.
        balanced: whether the classes of a category count the same.
        device: where the labels are placed.

    Raises:
        InputError: if no label of a task is known in a part that is not empty.
    """
    assert domain.tasks is not None, "only domains with tasks are trained on them"
    found: dict[str, TaskLabels] = {}
    values = {}
    for part in ("train", "validation"):
        values[part] = encode_tasks(domain.tasks.iloc[rows.get(part, [])], columns)
        for column, labels in zip(columns, values[part].T, strict=True):
            if len(labels) and np.isnan(labels).all():
                raise InputError(
                    f"domains.{domain.name}: the task {column['name']!r} has no known value in "
                    f"the {len(labels)} lesions of the part {part}, expected at least one"
                )
    for part, encoded in values.items():
        weights = np.zeros_like(encoded)
        for position, column in enumerate(columns):
            weigh = balanced and column["kind"] == "category"
            training = values["train"][:, position]
            weights[:, position] = _weights(training, encoded[:, position], weigh)
        found[part] = TaskLabels(
            torch.from_numpy(encoded).float().to(device),
            torch.from_numpy(weights).float().to(device),
        )
    return found


def _weights(training: np.ndarray, labels: np.ndarray, balanced: bool) -> np.ndarray:
    """The weight of each of the labels (N,), given those of the training part."""
    known = training[~np.isnan(training)]
    if not balanced:
        return np.where(np.isnan(labels), 0, len(training) / len(known))
    weights = np.zeros(len(labels))
    values, counts = np.unique(known, return_counts=True)
    for value, count in zip(values, counts, strict=True):
        weights[labels == value] = len(training) / (len(values) * count)
    return weights
