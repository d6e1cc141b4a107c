"""The points of a learning curve, read from the predictions of its trainings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from graft.common.files import InputError
from graft.common.vocabulary import REFERENCE
from graft.data.predictions import probability_columns, read_predictions
from graft.data.sealed_tables import open_sealed_table

READ = ("share", "draw", "patients", "lesions", "arm", "sample")


@dataclass(frozen=True)
class Point:
    """The trainings with one share of the labels: D draws of the labelled patients.

    Attributes:
        share: of the labelled patients, in (0, 1].
        patients: D numbers of labelled patients.
        lesions: D numbers of their lesions.
        probabilities: by arm, D predictions (N, C) of the test part. An arm is "scratch" or the
            name of a strategy.
    """

    share: float
    patients: Sequence[int]
    lesions: Sequence[int]
    probabilities: Mapping[str, Sequence[np.ndarray]]


def read_points(
    path: Path, classes: Sequence[str], samples: Sequence[int], strategy: str
) -> list[Point]:
    """Read what the repeated trainings predicted, smallest share first; no points if none ran.

    Args:
        path: the table that the training stage wrote.
        classes: of the target.
        samples: the sample numbers of the test part, in order.
        strategy: of the model `transfer`, which is one of the arms.

    Raises:
        InputError: if the file cannot be read or was changed, or if a training is missing, is there
            twice or did not predict `samples`.
    """
    content = open_sealed_table(path)
    table = read_predictions(path, READ, classes, text=("arm",), content=content)
    draws = sorted(set(table["draw"]))
    names = list(dict.fromkeys([REFERENCE, strategy, *table["arm"]]))
    points = []
    for share, rows in table.groupby("share", sort=True):
        _check_trainings(path, share, rows, draws, names)
        first = rows.drop_duplicates("draw").sort_values("draw")
        arms: dict[str, list[np.ndarray]] = {arm: [] for arm in names}
        for (arm, draw), predicted in rows.groupby(["arm", "draw"], sort=False):
            if tuple(predicted["sample"]) != tuple(samples):
                raise InputError(
                    f"{path}: {arm}, share {share:g}, draw {draw} has other samples than the test "
                    "part, expected its lesions in their order"
                )
            probabilities = predicted[probability_columns(classes)].to_numpy()
            arms[arm].append(probabilities)
        points.append(Point(share, list(first["patients"]), list(first["lesions"]), arms))
    return points


def _check_trainings(
    path: Path, share: float, rows: pd.DataFrame, draws: Sequence[int], arms: Sequence[str]
) -> None:
    """Raise InputError if a share lacks a draw of an arm."""
    found = set(zip(rows["arm"], rows["draw"], strict=True))
    for arm in arms:
        for draw in draws:
            if (arm, draw) not in found:
                raise InputError(
                    f"{path}: share {share:g} lacks draw {draw} of {arm}, expected the draws "
                    f"{draws} of {', '.join(arms)}"
                )
