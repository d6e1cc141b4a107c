"""The clinical covariates of a `manifest.csv`, with free text hashed."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from graft.data.covariates import bag_of_words
from graft.ingest.columns import read_columns
from graft.ingest.rows import MANIFEST, iterate_cells


def read_covariates(folder: Path, kinds: Mapping[str, str]) -> pd.DataFrame:
    """Read the columns in `kinds` of the manifest, one row per lesion, in its order.

    `kinds` maps each column to number, category or text.

    Raises InputError if a column is missing, a number is not one, or a column has too many
    categories.
    """
    path = folder / MANIFEST
    table = read_columns(path, iterate_cells(path), kinds, "covariates")
    for name, kind in kinds.items():
        if kind == "text":
            table[name] = bag_of_words(table[name].tolist())
    return table
