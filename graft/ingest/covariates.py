"""The clinical covariates of a `manifest.csv`: checked cell by cell, with free text hashed."""

import math
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from graft.common.files import InputError
from graft.common.tables import is_formula
from graft.data.covariates import bag_of_words, to_number
from graft.ingest.rows import MANIFEST, iterate_cells

LOG_SIZE = "log_size"  # the covariate that graft measures itself
MAX_NUMBER = 1e30  # either way, because networks compute with float32
MAX_CATEGORIES = 32  # of one column: with more it is text, or identifies patients


def read_covariates(folder: Path, kinds: Mapping[str, str]) -> pd.DataFrame:
    """Read the columns in `kinds` of the manifest, one row per lesion, in its order.

    `kinds` maps each column to number, category or text.

    Raises InputError if a column is missing, a number is not one, or a column has too many
    categories.
    """
    path = folder / MANIFEST
    rows = []
    for line, cells in iterate_cells(path):
        absent = [name for name in kinds if name not in cells]
        if absent:
            raise InputError(
                f"{path}: has no column {', '.join(absent)}, expected the covariates of the "
                f"parameters (found {', '.join(cells)})"
            )
        for name, kind in kinds.items():
            if kind == "number":
                _check_number(f"{path}:{line}: {name}", cells[name])
            if kind == "category" and is_formula(cells[name]):
                raise InputError(
                    f"{path}:{line}: {name} is {cells[name]!r}, expected a category that does not "
                    "begin like a formula (= + - @)"
                )
        rows.append([cells[name] for name in kinds])
    table = pd.DataFrame(rows, columns=list(kinds), dtype=str)
    for name, kind in kinds.items():
        if kind == "category":
            _check_categories(path, table[name])
        elif kind == "text":
            table[name] = bag_of_words(table[name].tolist())
    return table


def add_log_size(covariates: pd.DataFrame | None, sizes: pd.Series) -> pd.DataFrame:
    """Add the natural logarithm of the lesion's size as the last column LOG_SIZE.

    A size spreads over orders of magnitude, and its logarithm is what "size alone" reads. A size
    of 0 is unknown.

    Args:
        covariates: of N lesions, or None.
        sizes: (N,), the column `size` of the index.
    """
    cells = [f"{math.log(size):.6g}" if size else "" for size in sizes]
    table = pd.DataFrame(index=range(len(cells))) if covariates is None else covariates
    return table.assign(**{LOG_SIZE: cells})


def _check_number(where: str, cell: str) -> None:
    if cell and not abs(to_number(cell)) <= MAX_NUMBER:  # true for NaN too
        raise InputError(f"{where} is {cell!r}, expected a number, or nothing if it is unknown")


def _check_categories(path: Path, cells: pd.Series) -> None:
    count = cells[cells != ""].nunique()
    if count > MAX_CATEGORIES:
        raise InputError(
            f"{path}: the category {cells.name} has {count} different values, "
            f"expected at most {MAX_CATEGORIES}; is it a number, or text?"
        )
