"""Tables of predictions: a class probability in each of the columns `p_<class>`."""

from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd

from graft.common.files import InputError, whole_file
from graft.common.tables import write_csv

DECIMALS = 8  # of a probability in a file
SUM_TOLERANCE = 1e-6  # by which the rounded probabilities of a case may differ from 1 in sum


def probability_columns(classes: Sequence[str]) -> list[str]:
    """The columns of the probabilities, in the order of the classes."""
    return [f"p_{name}" for name in classes]


def probability_table(probabilities: np.ndarray, classes: Sequence[str]) -> pd.DataFrame:
    """Make a table of probabilities (N, C), rounded to the DECIMALS of a file."""
    return pd.DataFrame(probabilities.round(DECIMALS), columns=probability_columns(classes))


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, completely or not at all. No number loses a digit."""
    with whole_file(path) as partial:
        write_csv(partial, table)


def read_predictions(
    path: Path,
    columns: Sequence[str],
    classes: Sequence[str],
    text: Sequence[str] = (),
    content: IO[str] | None = None,
) -> pd.DataFrame:
    """Read a table of predictions.

    Args:
        path: a CSV file.
        columns: the columns that it must have beside the probabilities.
        classes: the classes whose probabilities it must have.
        text: the columns that are read as text, even if their cells look like numbers. All other
            columns must have finite numbers.
        content: of the file, if it is open already.

    Returns:
        `columns` and the columns of the probabilities, in this order.

    Raises:
        InputError: if the file cannot be read or lacks a column, a number is not finite, or the
            probabilities of a case are outside [0, 1] or do not sum to 1.
    """
    wanted = [*columns, *probability_columns(classes)]
    kinds = dict.fromkeys(text, str)
    try:
        source = path if content is None else content
        table = pd.read_csv(source, dtype=kinds, keep_default_na=False)[wanted]
        numbers = table[[name for name in wanted if name not in kinds]].astype(float)
        probabilities = numbers[probability_columns(classes)]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{path}: cannot be read, expected the columns {', '.join(wanted)} ({error})"
        ) from error
    if not np.isfinite(numbers.to_numpy()).all():
        column = numbers.columns[~np.isfinite(numbers.to_numpy()).all(0)][0]
        raise InputError(f"{path}: has a cell in {column} that is no finite number")
    if ((probabilities < 0) | (probabilities > 1)).any(axis=None):
        raise InputError(f"{path}: has a probability outside [0, 1]")
    off = (probabilities.sum(axis=1) - 1).abs()
    if (off > SUM_TOLERANCE).any():
        raise InputError(
            f"{path}: the probabilities in row {off.argmax()} differ from 1 in sum by "
            f"{off.max():g}, expected a sum of 1"
        )
    # The parser of an older pandas may differ from the written number in the last bit.
    table[probability_columns(classes)] = probabilities.round(DECIMALS)
    return table
