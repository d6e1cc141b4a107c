"""A patient in arrays: rows of `data.npy`, `labels.npy`, `groups.npy` and `tasks.csv`.

The files change one after the other. A run that is killed in between leaves some with all N rows
and some without those of the patient. The next run tells by the number of rows which are which.
"""

import csv
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from graft.common.files import InputError, whole_file
from graft.common.links import follow_links
from graft.common.shown import counted
from graft.forgetting.raw import RawTrace, class_names, count_left
from graft.forgetting.wanted import Wanted
from graft.ingest.arrays import DATA_FILE, GROUPS_FILE, LABELS_FILE
from graft.ingest.npz import map_npy
from graft.ingest.tasks import TASKS_FILE

ROWS_AT_ONCE = 64


def find_in_arrays(
    domain: str, root: Path, wanted: Wanted, classes: Sequence[str], processed: int
) -> RawTrace | None:
    """Find the rows of a patient; None if there are none.

    Without groups.npy a patient is `<domain> row <number>`. Rows change their numbers when one is
    gone, so the numbers count in the processed domain, which must be there: it has `processed`
    lesions, 0 if it is missing.

    Raises:
        InputError: if an array cannot be read, or has another number of rows.
    """
    has_groups = os.path.lexists(root / GROUPS_FILE)
    names = [f"{domain} row {row}" for row in range(processed)]
    if has_groups:
        names = [str(value) for value in map_npy(root / GROUPS_FILE).ravel().tolist()]
    mine = [row for row, name in enumerate(names) if wanted.is_patient(name)]
    if not mine:
        return None
    order = [root / DATA_FILE, root / LABELS_FILE, root / TASKS_FILE, root / GROUPS_FILE]
    files = [file for file in order if os.path.lexists(file)]  # groups last: they find the patient
    to_change = [file for file in files if _has_all_rows(file, len(names), len(mine))]
    if not to_change and not has_groups:
        return None  # a killed run took the row out, and the processed domain is of before
    data = map_npy(root / DATA_FILE)
    labels = class_names(map_npy(root / LABELS_FILE), classes)
    has_data, has_labels = len(data) == len(names), len(labels) == len(names)
    return RawTrace(
        domain=domain,
        root=root,
        names=frozenset(names[row] for row in mine),
        lesions=len(mine),
        where=f"{counted(len(mine), 'row')} of {', '.join(file.name for file in to_change)}",
        files=(),
        tables=to_change,
        left=count_left(labels, mine if has_labels else ()),
        rewrite=lambda: _rewrite(to_change, mine),
        bytes_of_rows=[data[row].tobytes() for row in mine] if has_data else (),
        is_counted=not has_groups,
    )


def _has_all_rows(file: Path, rows: int, of_patient: int) -> bool:
    """Whether a file has the rows of the patient. If not, an earlier run took them out."""
    found = len(_read_table(file)) - 1 if file.suffix == ".csv" else len(map_npy(file))
    if found not in (rows, rows - of_patient):
        raise InputError(
            f"{file}: has {found} rows, expected {rows}, or {rows - of_patient} without the patient"
        )
    return found == rows


def _rewrite(files: Sequence[Path], gone: Sequence[int]) -> None:
    for file in files:
        path = follow_links(file)
        with whole_file(path) as partial:
            shutil.copymode(path, partial)
            if path.suffix == ".csv":
                _write_table(partial, _read_table(path), gone)
            else:
                _write_rows(partial, map_npy(path), gone)


def _write_rows(partial: Path, array: np.ndarray, gone: Sequence[int]) -> None:
    """Write an array (N, ...) without some rows, a few rows at a time."""
    kept = np.delete(np.arange(len(array)), gone)
    shape = (len(kept), *array.shape[1:])
    if not len(kept):
        np.save(partial.open("wb"), np.empty(shape, array.dtype))
        return
    written = np.lib.format.open_memmap(partial, "w+", array.dtype, shape)
    for start in range(0, len(kept), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        written[rows] = array[kept[rows]]
    written.flush()


def _read_table(path: Path) -> list[str]:
    """The heading and the rows of a table, each with all its lines."""
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(file)
    reader = csv.reader(iter(lines))
    rows: list[str] = []
    begin = 0
    for cells in reader:
        text = "".join(lines[begin : reader.line_num])
        begin = reader.line_num
        if cells:
            rows.append(text)
        elif rows:  # a blank line stays with the row above it
            rows[-1] += text
    return rows


def _write_table(partial: Path, rows: Sequence[str], gone: Sequence[int]) -> None:
    left_out = {row + 1 for row in gone}  # after the heading
    kept = [text for number, text in enumerate(rows) if number not in left_out]
    partial.write_bytes("".join(kept).encode())
