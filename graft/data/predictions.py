"""Tables of predictions: a class probability in each of the columns `p_<class>`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from graft.common.files import InputError, whole_file
from graft.common.tables import write_csv

DECIMALS = 8  # of a probability in a file


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
    path: Path, columns: Sequence[str], classes: Sequence[str], text: Sequence[str] = ()
) -> pd.DataFrame:
    """Read a table of predictions.

    Args:
        path: a CSV file.
        columns: the columns that it must have beside the probabilities.
        classes: the classes whose probabilities it must have.
        text: the columns that are read as text, even if their cells look like numbers.

    Returns:
        `columns` and the columns of the probabilities, in this order.

    Raises:
        InputError: if the file cannot be read, lacks a column or has a probability that is not
            a finite number.
    """
    wanted = [*columns, *probability_columns(classes)]
    kinds = dict.fromkeys(text, str)
    try:
        table = pd.read_csv(path, dtype=kinds, keep_default_na=False)[wanted]
        probabilities = table[probability_columns(classes)].astype(float)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{path}: cannot be read, expected the columns {', '.join(wanted)} ({error})"
        ) from error
    if not np.isfinite(probabilities.to_numpy()).all():
        raise InputError(
            f"{path}: has a probability that is not finite, expected numbers in [0, 1]"
        )
    # The parser of an older pandas may differ from the written number in the last bit.
    table[probability_columns(classes)] = probabilities.round(DECIMALS)
    return table
