"""The further heads of a saved model: `tasks.safetensors` beside its weights, named by its card."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as as_bytes
from torch import Tensor

from graft.common.files import InputError, check_sha256, sha256
from graft.common.shown import one_line
from graft.data.batches import Images
from graft.multitask.losses import width
from graft.multitask.network import MultiTaskNetwork
from graft.networks.saved import BATCH, Model, load_model

HEADS = "tasks.safetensors"
ALONE = "alone"  # the folder of the networks that were trained on one task each
MAIN = "label"  # the name of the classes as a task; no column may have it


@dataclass(frozen=True)
class TaskModel:
    """A trained network and its card."""

    card: dict
    network: MultiTaskNetwork

    @torch.inference_mode()
    def predict(
        self, images: Images, covariates: pd.DataFrame | None = None
    ) -> dict[str, np.ndarray]:
        """What the network predicts of N images (N, C, *patch) in [0, 1], by task.

        The classes are the task MAIN. A task of classes gives their probabilities (N, C), a rating
        the probabilities (N, K − 1) that it is above each level but the highest, and a number
        itself (N, 1), in the unit of its column. If the card asks for mirror images, each is the
        mean over them.

        Raises:
            InputError: if covariates are missing that the model was trained with.
        """
        model = Model(self.card, [self.network.main])
        widths = [self.network.main.head.out_features, *map(width, self.network.columns)]
        chunks = [[torch.zeros(0, count, dtype=torch.float64) for count in widths]]
        for batch, known in model.batches(images, covariates, BATCH):
            views = [self._answers(view, known) for view in model.views(batch)]
            chunks.append([torch.stack(of_task).mean(0) for of_task in zip(*views, strict=True)])
        predicted = [torch.cat(pieces).numpy() for pieces in zip(*chunks, strict=True)]
        names = [MAIN, *[column["name"] for column in self.network.columns]]
        return dict(zip(names, predicted, strict=True))

    def _answers(self, batch: Tensor, covariates: Tensor | None) -> list[Tensor]:
        """What the network predicts of a batch (B, C, *patch), the classes first: (B, width)."""
        outputs = self.network(batch, covariates).double().cpu()
        main, *further = self.network.divide(outputs)
        answers = [main.softmax(1)]
        for column, values in zip(self.network.columns, further, strict=True):
            if column["kind"] == "category":
                answers.append(values.softmax(1))
            elif column["kind"] == "ordinal":
                answers.append(values.sigmoid())
            else:
                answers.append(values * column["std"] + column["mean"])
        return answers


def save_heads(folder: Path, network: MultiTaskNetwork, weighting: str) -> dict[str, Any]:
    """Write the further heads into a folder, and return the entry `tasks` of the card beside them.

    Raises:
        InputError: if a weight is NaN or infinite.
    """
    path = folder / HEADS
    tensors = {}
    for name, tensor in network.saved_heads().items():
        if not torch.isfinite(tensor).all():
            raise InputError(f"{path}: the weights {name} have NaN or infinity, expected numbers")
        tensors[name] = tensor.detach().cpu().contiguous()
    path.write_bytes(as_bytes(tensors))
    entry: dict[str, Any] = {
        "columns": [dict(column) for column in network.columns],
        "weighting": weighting,
        "heads_sha256": sha256(path),
    }
    if weighting == "uncertainty":
        names = [MAIN, *[column["name"] for column in network.columns]]
        variances = network.log_variances.detach().exp().tolist()
        entry["variances"] = dict(zip(names, variances, strict=True))  # σ² of each task
    return entry


def load_tasks(folder: Path, device: torch.device | str = "cpu") -> TaskModel | None:
    """Read a model with its further heads; None if it was not trained on several tasks.

    Raises:
        InputError: if a file is missing, cut short or changed, or is not the one that the card
            describes.
    """
    model = load_model(folder, device)
    entry = model.card.get("tasks")
    if entry is None:
        return None
    path = folder / HEADS
    check_sha256(path, entry["heads_sha256"])
    network = MultiTaskNetwork(model.networks[0], entry["columns"])
    try:
        network.load_heads(load_file(path))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise InputError(
            f"{path}: does not have the heads that the card describes ({one_line(str(error))})"
        ) from error
    return TaskModel(model.card, network.to(device).eval())


def folders_of_tasks(folder: Path, further: Iterable[str]) -> Iterator[tuple[str, Path]]:
    """Yield each task, the classes first, and the folder of the network trained on it alone."""
    for name in (MAIN, *further):
        yield name, folder / ALONE / name
