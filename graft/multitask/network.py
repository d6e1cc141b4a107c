"""A network with a head for each of several tasks, over the features of one body."""

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graft.data.tasks import TaskColumn
from graft.multitask.losses import task_losses, width
from graft.networks.classifier import Classifier


class TaskHead(nn.Module):
    """The head of one task, which starts at 0: before training, all lesions get one prediction.

    The outputs of an ordinal task share their weights and have a bias each, so that w·x ranks the
    lesions. Those of other tasks have weights of their own.

    Args:
        column: the task.
        features: F, which the head reads.
    """

    levels: Tensor

    def __init__(self, column: TaskColumn, features: int) -> None:
        super().__init__()
        self.kind: str = column["kind"]
        outputs = width(column)
        rows = 1 if self.kind == "ordinal" else outputs
        self.weight = nn.Parameter(torch.zeros(rows, features))
        self.bias = nn.Parameter(torch.zeros(outputs))
        lower = torch.tensor(column.get("levels", [0])[:-1], dtype=torch.float32)
        self.register_buffer("levels", lower, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Maps features (B, F) to outputs (B, width)."""
        return F.linear(x, self.weight) + self.bias

    def losses(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """The loss (B,) of outputs (B, width), 0 if the label in (B,) is NaN."""
        return task_losses(self.kind, outputs, labels, self.levels)

    @torch.no_grad()
    def start_at(self, labels: Tensor) -> None:
        """Start the biases of an ordinal task at the log odds of the ratings in (N,).

        Steps as small as those of Adam would need epochs to get there.
        """
        if self.kind == "ordinal":
            known = labels[~labels.isnan()]
            above = (known[:, None] > self.levels).double().mean(0)  # (K − 1,) in (0, 1)
            self.bias.copy_(above.logit())


class MultiTaskNetwork(nn.Module):
    """A classifier, and heads for further tasks that read what its own head reads.

    Args:
        main: the classifier, whose body all tasks share.
        columns: the further tasks, as `fit_tasks` returns them.
    """

    def __init__(self, main: Classifier, columns: Sequence[TaskColumn]) -> None:
        super().__init__()
        self.main = main
        self.columns = list(columns)
        weight = main.head.weight
        heads = [TaskHead(column, weight.shape[1]) for column in self.columns]
        self.heads = nn.ModuleList(heads).to(weight.device)
        # log σ² of the loss of each task, the classes first
        self.log_variances = nn.Parameter(torch.zeros(1 + len(heads), device=weight.device))

    @property
    def task_heads(self) -> list[TaskHead]:
        """The heads of `columns`."""
        return cast(list[TaskHead], list(self.heads))

    def forward(self, images: Tensor, covariates: Tensor | None = None) -> Tensor:
        """Maps images (B, C, *patch) and covariates (B, K) to the outputs of all heads.

        They are (B, classes + Σ width): first the logits of the classes, then those of `columns`.
        """
        x = self.main.features(images)
        if covariates is not None:
            x = torch.cat([x, covariates], 1)  # (B, F + K)
        return torch.cat([self.main.head(x), *[head(x) for head in self.heads]], 1)

    def divide(self, outputs: Tensor) -> list[Tensor]:
        """Divide the outputs (B, classes + Σ width) by head: (B, classes), and (B, width) each."""
        widths = [self.main.head.out_features, *[width(column) for column in self.columns]]
        return list(outputs.split(widths, 1))

    def saved_heads(self) -> dict[str, Tensor]:
        """The tensors of the further heads, by `<task>.weight` and `<task>.bias`."""
        tensors = {}
        for column, head in zip(self.columns, self.heads, strict=True):
            for name, tensor in head.state_dict().items():
                tensors[f"{column['name']}.{name}"] = tensor
        return tensors

    def load_heads(self, tensors: Mapping[str, Tensor]) -> None:
        """Copy in what `saved_heads` returned.

        Raises:
            RuntimeError: if a tensor is missing, left over or of another shape.
        """
        position_of = {column["name"]: position for position, column in enumerate(self.columns)}
        renamed = {}
        for name, tensor in tensors.items():
            task, _, rest = name.rpartition(".")
            renamed[f"{position_of.get(task, task)}.{rest}"] = tensor
        self.heads.load_state_dict(renamed)
