"""The squares with three further labels, one of which follows from the image."""

import numpy as np
import pandas as pd
import torch

from graft.data.domain import Domain
from graft.data.tasks import fit_tasks
from graft.multitask.labels import take_labels
from graft.multitask.network import MultiTaskNetwork
from graft.multitask.objective import TaskObjective, Weighting
from tests.squares import network

KINDS = {"rating": "ordinal", "shape": "category", "volume": "number"}
COUNT = 40  # 24 to train on and 16 to validate on, as in `tests.squares.task`
ROWS = {"train": np.arange(24), "validation": np.arange(24, 40)}
CPU = torch.device("cpu")


def domain() -> Domain:
    number = np.arange(COUNT)
    tasks = pd.DataFrame(
        {
            "rating": (number % 3 + 1).astype(str),
            "shape": np.where(number % 4 == 0, "round", "oval"),
            "volume": (number % 5).astype(str),
        }
    )
    tasks.loc[number % 6 == 1, "rating"] = ""
    tasks.loc[number > 2, "volume"] = tasks["volume"].where(number % 8 != 0, "")
    images = np.zeros((0, 1, 8, 8), np.float16)
    index = pd.DataFrame({"patient": number})
    return Domain("squares", images, index, ["benign", "malignant"], {}, {}, None, KINDS, tasks)


def columns() -> list[dict]:
    made = domain()
    return fit_tasks(made.tasks.iloc[ROWS["train"]], KINDS, made.name)


def multitask(weighting: Weighting = "equal", only_further: bool = False) -> TaskObjective:
    """An untrained network with heads for the three labels, and its objective."""
    labels = take_labels(domain(), columns(), ROWS, True, CPU)
    return TaskObjective(MultiTaskNetwork(network(), columns()), labels, weighting, only_further)
