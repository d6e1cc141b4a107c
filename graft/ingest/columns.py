"""Columns of a table of raw data that a user named with their kind, checked cell by cell."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from graft.common.files import InputError
from graft.common.tables import is_formula
from graft.data.covariates import to_number

MAX_NUMBER = 1e30  # either way, because networks compute with float32
MAX_RATING = 1000  # either way
MAX_CATEGORIES = 32  # of one column: with more it is text, or identifies patients
FEW_CATEGORIES = 5  # so many are allowed among any number of patients

Rows = Iterable[tuple[int, dict[str, str]]]


def read_columns(path: Path, rows: Rows, kinds: Mapping[str, str], key: str) -> pd.DataFrame:
    """Read the columns in `kinds` as text, one row per row of the table, in its order.

    Args:
        path: the table, for messages.
        rows: the line number and the cells of each row.
        kinds: number, category, ordinal or text for each column.
        key: the parameter that names the columns, for messages.

    Raises:
        InputError: if a column is missing, a number or a rating is not one, a column has too many
            categories or ratings, or a category is text, see `check_repeated`.
    """
    patients = []
    table_rows = []
    for line, cells in rows:
        absent = [name for name in kinds if name not in cells]
        if absent:
            raise InputError(
                f"{path}: has no column {', '.join(absent)}, expected the {key} of the "
                f"parameters (found {', '.join(cells)})"
            )
        for name, kind in kinds.items():
            _check_cell(f"{path}:{line}: {name}", cells[name], kind)
        table_rows.append([cells[name] for name in kinds])
        if "patient" in cells:  # otherwise `check_rows` knows them
            patients.append(cells["patient"])
    table = pd.DataFrame(table_rows, columns=list(kinds), dtype=str)
    for name, kind in kinds.items():
        if kind in ("category", "ordinal"):
            _check_values(path, table[name], kind)
    if patients:
        check_repeated(path, table, kinds, patients)
    return table


def check_repeated(
    path: Path, table: pd.DataFrame, kinds: Mapping[str, str], patients: Sequence[str]
) -> None:
    """Raise InputError if a category has nearly as many values as there are patients.

    It is then free text, which may identify patients, and models keep categories as they are.

    Args:
        path: the table, for messages.
        table: of N rows.
        kinds: the kind of each column.
        patients: (N,) of the rows.
    """
    of_rows = pd.Series(patients, dtype=object)
    for name, kind in kinds.items():
        known = table[name] != ""
        count, among = table[name][known].nunique(), of_rows[known].nunique()
        if kind == "category" and count > max(FEW_CATEGORIES, among / 2):
            raise InputError(
                f"{path}: the category {name} has {count} different values in {among} patients, "
                f"expected at most {FEW_CATEGORIES}, or half as many as patients; is it text?"
            )


def _check_cell(where: str, cell: str, kind: str) -> None:
    if kind == "category" and is_formula(cell):
        raise InputError(
            f"{where} is {cell!r}, expected a category that does not begin like a formula (= + - @)"
        )
    number = to_number(cell)
    if kind == "number" and cell and not abs(number) <= MAX_NUMBER:  # true for NaN too
        raise InputError(f"{where} is {cell!r}, expected a number, or nothing if it is unknown")
    is_rating = abs(number) <= MAX_RATING and number.is_integer()
    if kind == "ordinal" and cell and not is_rating:
        raise InputError(
            f"{where} is {cell!r}, expected a rating, a whole number of at most {MAX_RATING} "
            "either way, or nothing if it is unknown"
        )


def _check_values(path: Path, cells: pd.Series, kind: str) -> None:
    count = cells[cells != ""].nunique()
    if count > MAX_CATEGORIES:
        noun = "rating" if kind == "ordinal" else kind
        raise InputError(
            f"{path}: the {noun} {cells.name} has {count} different values, "
            f"expected at most {MAX_CATEGORIES}; is it a number, or text?"
        )
