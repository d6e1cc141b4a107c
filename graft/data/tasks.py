"""Further labels of a lesion beside its class: categories, ordinal ratings and numbers.

A table of tasks has a row per lesion. Its cells are text. An empty cell means that the label is
unknown.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from graft.common.files import InputError
from graft.data.covariates import to_number

TaskColumn = Mapping  # plain JSON values, see `fit_tasks`


def fit_tasks(table: pd.DataFrame, kinds: Mapping[str, str], domain: str) -> list[dict]:
    """Fit the encoding of each task to a training part.

    Args:
        table: the labels of the training part.
        kinds: number, category or ordinal for each column of `table`.
        domain: the name of the domain, for messages.

    Returns:
        The columns as plain JSON values, as a model's card has them. Each has `name`, `kind`, and
        the `mean` and `std` of a number, the `categories` of a category, or the `levels` of an
        ordinal rating, which are the different ratings in rising order.

    Raises:
        InputError: if a column has fewer than two different values, or a cell cannot be read.
    """
    columns = []
    for name, kind in kinds.items():
        cells = table[name][table[name] != ""]
        known = cells.to_numpy(str) if kind == "category" else _numbers(cells)
        values = np.unique(known).tolist()
        if len(values) < 2:
            found = f"only the value {values[0]!r}" if values else "no value"
            raise InputError(
                f"domains.{domain}: the task {name!r} has {found} in the {len(table)} lesions of "
                "the training part, expected at least two different ones"
            )
        column: dict[str, object] = {"name": name, "kind": kind}
        if kind == "category":
            column["categories"] = values
        elif kind == "ordinal":
            column["levels"] = values
        else:
            column |= {"mean": float(known.mean()), "std": float(known.std())}
        columns.append(column)
    return columns


def encode_tasks(table: pd.DataFrame, columns: Sequence[TaskColumn]) -> np.ndarray:
    """Encode the labels of N lesions as numbers (N, T) float64, one column per task.

    A number is standardised: (x − mean) / std. A category is its position among `categories`. A
    rating stays as it is. NaN means that the label is unknown, or a category that did not occur in
    training.

    Raises:
        InputError: if a cell cannot be read.
    """
    encoded = np.full((len(table), len(columns)), np.nan)
    for position, column in enumerate(columns):
        cells = table[column["name"]]
        known = (cells != "").to_numpy()
        if column["kind"] == "category":
            code_of = {name: code for code, name in enumerate(column["categories"])}
            encoded[known, position] = cells[known].map(code_of).to_numpy(float)
        else:
            encoded[known, position] = _numbers(cells[known])
        if column["kind"] == "number":
            encoded[:, position] -= column["mean"]
            encoded[:, position] /= column["std"]
    return encoded


def _numbers(cells: pd.Series) -> np.ndarray:
    """Read cells as finite numbers (N,)."""
    numbers = np.array([to_number(cell) for cell in cells], float)
    if not np.isfinite(numbers).all():
        wrong = cells[~np.isfinite(numbers)].iloc[0]
        raise InputError(f"tasks: {cells.name} is {wrong!r}, expected a number or an empty cell")
    return numbers
