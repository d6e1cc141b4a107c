"""The clinical covariates of a `manifest.csv`, checked cell by cell; free text is hashed here and goes no further."""

import math
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from graft.common.files import InputError
from graft.data.covariates import bag_of_words, to_number
from graft.ingest.rows import FILE, lines

MOST_CATEGORIES = 32  # of one column: with more it is text, or names somebody


def read(folder: Path, kinds: Mapping[str, str]) -> pd.DataFrame:
    """The columns in `kinds` (name -> number, category or text) of the manifest, a row a lesion, in its order.

    Raises InputError where a column is missing, a number is none, or a column has too many categories.
    """
    path = folder / FILE
    rows = []
    for line, row in lines(path):
        if absent := [name for name in kinds if name not in row]:
            raise InputError(
                f"{path}: has no column {', '.join(absent)}, expected the covariates that params.yaml names "
                f"(found {', '.join(row)})"
            )
        for name, kind in kinds.items():
            if kind == "number" and row[name] and not math.isfinite(to_number(row[name])):
                raise InputError(
                    f"{path}:{line}: {name} is {row[name]!r}, expected a number, or nothing where it is not known"
                )
        rows.append([row[name] for name in kinds])
    table = pd.DataFrame(rows, columns=list(kinds), dtype=str)
    for name, kind in kinds.items():
        if kind == "category":
            _check_categories(path, table[name])
        elif kind == "text":
            table[name] = bag_of_words(table[name].tolist())
    return table


def _check_categories(path: Path, cells: pd.Series) -> None:
    count = cells[cells != ""].nunique()
    if count > MOST_CATEGORIES:
        raise InputError(
            f"{path}: the category {cells.name} has {count} different values, expected at most {MOST_CATEGORIES}; "
            "is it a number, or text?"
        )
