"""Out-of-fold predictions: each training patient by a network without the patient's label."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from graft.data.predictions import probability_table, read_predictions
from graft.data.sealed_tables import open_sealed_table, write_sealed_table

FILE = "out_of_fold.csv"  # of a model folder
COLUMNS = ("sample", "fold")
ALL = 0  # instead of a fold: the training on all labelled patients


def fold_folder(model: Path, fold: int) -> Path:
    """The folder of the model of a fold, in that of the model of all patients; that one for ALL."""
    return model if fold == ALL else model / "folds" / str(fold)


def write_out_of_fold(
    folder: Path,
    samples: np.ndarray,
    folds: np.ndarray,
    probabilities: np.ndarray,
    classes: Sequence[str],
) -> None:
    """Write the out-of-fold predictions of a model into its folder, in the order of the samples.

    Args:
        folder: of the model.
        samples: (N,), the training rows of the domain's index.
        folds: (N,), the fold of each, outside of which the network that predicts it was trained.
        probabilities: (N, C).
        classes: C names.
    """
    table = probability_table(probabilities, classes)
    for position, (column, values) in enumerate(zip(COLUMNS, (samples, folds), strict=True)):
        table.insert(position, column, values)
    write_sealed_table(folder / FILE, table.sort_values("sample"))


def read_out_of_fold(folder: Path, classes: Sequence[str]) -> pd.DataFrame:
    """Read the out-of-fold predictions of a model.

    Args:
        folder: of the model.
        classes: C names.

    Returns:
        A row per training sample, in rising order: COLUMNS and the probabilities.

    Raises:
        InputError: if the file is missing, broken or changed, or its numbers are impossible.
    """
    path = folder / FILE
    table = read_predictions(path, COLUMNS, classes, content=open_sealed_table(path))
    return table.sort_values("sample", ignore_index=True)
