"""The columns `scanner`, `sex` and `age` of a `manifest.csv`, too coarse to identify a patient."""

import math
import re
from pathlib import Path

import pandas as pd

from graft.common.files import InputError
from graft.data.covariates import to_number
from graft.ingest.rows import MANIFEST, iterate_cells

OTHER = "other"
SEXES = {"f": "F", "female": "F", "m": "M", "male": "M"}
AGE_BAND = 10  # years
OLDEST_BAND = 90  # years: everyone from this age on is in one band
MAX_AGE = 130  # years
# The name of a model, such as "Aquilion ONE" or "SOMATOM Force".
MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 .+/_-]{0,39}")
LONG_NUMBER = re.compile(r"\d[\d./-]{4,}\d")  # a serial number or a date
MIN_PATIENTS = 3  # a scanner that fewer patients had could identify them


def read_subgroup_columns(folder: Path) -> pd.DataFrame | None:
    """Read those of the columns that the manifest has, one row per lesion, in its order.

    Ages become bands of ten years, with one band from 90 on. Sexes become F, M or other. A scanner
    becomes other if fewer than MIN_PATIENTS patients had it, if its name is long or has unusual
    characters, or if it may be a date or a number. Unknown values are "".

    Returns None if the manifest has none of the columns.

    Raises InputError if an age is not a number of years.
    """
    path = folder / MANIFEST
    rows = []
    for line, cells in iterate_cells(path):
        try:
            rows.append({"patient": cells["patient"], **_coarsen(cells)})
        except InputError as error:
            raise InputError(f"{path}:{line}: {error}") from error
    table = pd.DataFrame(rows)
    if "scanner" in table:
        patients = table.groupby("scanner")["patient"].transform("nunique")
        is_kept = (patients >= MIN_PATIENTS) | (table["scanner"] == "")
        table["scanner"] = table["scanner"].where(is_kept, OTHER)
    columns = table.columns.drop("patient", errors="ignore")
    return table[columns] if len(columns) else None


def _coarsen(cells: dict[str, str]) -> dict[str, str]:
    coarse = {}
    for name, coarsen in (("scanner", _coarse_scanner), ("sex", _coarse_sex), ("age", _age_band)):
        if name in cells:
            coarse[name] = coarsen(cells[name]) if cells[name] else ""
    return coarse


def _coarse_scanner(cell: str) -> str:
    is_model = MODEL_NAME.fullmatch(cell) and not LONG_NUMBER.search(cell)
    return cell if is_model else OTHER


def _coarse_sex(cell: str) -> str:
    return SEXES.get(cell.lower(), OTHER)


def _age_band(cell: str) -> str:
    years = to_number(cell)
    if not (math.isfinite(years) and 0 <= years <= MAX_AGE):
        raise InputError(
            f"age is {cell!r}, expected years from 0 to {MAX_AGE}, or nothing if it is unknown"
        )
    start = int(years // AGE_BAND) * AGE_BAND
    if start >= OLDEST_BAND:
        return f"{OLDEST_BAND} and above"
    return f"{start} to {start + AGE_BAND - 1}"
