"""The further label columns of a domain, in its manifest or in `tasks.csv` beside its arrays."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from graft.common.files import InputError
from graft.ingest.columns import check_repeated, read_columns
from graft.ingest.rows import MANIFEST, iterate_cells
from graft.ingest.tables import iterate_rows

TASKS_FILE = "tasks.csv"  # beside data.npy, with one row per image
FORMS = ("manifest", "arrays")  # the forms of raw data that can have further labels


def read_tasks(folder: Path, form: str, kinds: Mapping[str, str]) -> pd.DataFrame:
    """Read the columns in `kinds`, one row per lesion, in the order of the raw data.

    Args:
        folder: the raw data.
        form: one of FORMS.
        kinds: number, category or ordinal for each column.

    Raises:
        InputError: as `read_columns` does.
    """
    path = folder / (MANIFEST if form == "manifest" else TASKS_FILE)
    rows = iterate_cells(path) if form == "manifest" else iterate_rows(path, _any_columns)
    return read_columns(path, rows, kinds, "tasks")


def check_rows(
    folder: Path, table: pd.DataFrame, kinds: Mapping[str, str], patients: Sequence[str]
) -> None:
    """Raise InputError if the table of arrays does not fit the patients (N,) of their N lesions.

    It must have N rows, and no category with nearly as many values as patients.
    """
    path = folder / TASKS_FILE
    if len(table) != len(patients):
        raise InputError(
            f"{path}: has {len(table)} rows and the images are {len(patients)}, expected as many"
        )
    check_repeated(path, table, kinds, patients)


def _any_columns(path: Path, columns: Sequence[str]) -> None:
    """Accept any columns: `read_columns` checks those that it needs."""
