"""Folds of the patients that a network trains on, to choose by if no patients validate."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from graft.data.folds import deal_patients
from graft.data.task import Samples, Task
from graft.transfer.settings import INNER_FOLDS


def inner_folds(labels: np.ndarray, patients: np.ndarray) -> np.ndarray:
    """The fold of each of N samples, from 0: all lesions of a patient are in one fold.

    The patients, sorted by their last class and their name, are dealt to the folds one by one.

    Args:
        labels: (N,) class codes.
        patients: (N,) names.
    """
    last_class = pd.Series(labels).groupby(patients).max()  # sorted by patient
    in_order = last_class.sort_values(kind="stable").index
    return deal_into_inner_folds([list(in_order)], patients)


def deal_into_inner_folds(orders: Sequence[list[str]], patients: np.ndarray) -> np.ndarray:
    """The inner fold of each of N samples, from 0; fewer folds if there are fewer patients.

    Args:
        orders: the patients of each class in the order in which they are dealt.
        patients: (N,) names.
    """
    fold_of = deal_patients(orders, min(INNER_FOLDS, sum(map(len, orders))))
    return np.array([fold_of[patient] for patient in patients])


def inner_tasks(task: Task) -> Iterator[tuple[Task, Samples]]:
    """Yield, for each inner fold, a task without it and without validation, and its samples.

    There is none if only one patient trains.
    """
    train = task.train
    folds = inner_folds(train.labels.cpu().numpy(), train.patients)
    for fold in range(1 + folds.max()) if folds.any() else ():
        others = train.take(np.flatnonzero(folds != fold))
        yield replace(task, train=others), train.take(np.flatnonzero(folds == fold))
