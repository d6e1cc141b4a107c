"""The columns `scanner`, `sex` and `age` of a `manifest.csv`, made too coarse to point at anybody."""

import math
import re
from pathlib import Path

import pandas as pd

from graft.common.files import InputError
from graft.data.covariates import to_number
from graft.ingest.rows import FILE, lines

OTHER = "other"
SEXES = {"f": "F", "female": "F", "m": "M", "male": "M"}
BAND, OLDEST, MOST = (
    10,
    90,
    130,
)  # years: width of a band, from where on there is one only, more than anybody lived
PLAIN = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9 .+/_-]{0,39}"
)  # a model's name, as "Aquilion ONE" or "SOMATOM Force"
LONG_NUMBER = re.compile(r"\d[\d./-]{4,}\d")  # a serial number, a date
LEAST = 3  # patients who share a scanner; the name of one that fewer had could be theirs


def read(folder: Path) -> pd.DataFrame | None:
    """The columns that there are, a row a lesion, in the order of the manifest, "" where nothing is known, or None.

    Ages become bands of ten years, of which 90 and above is one; sexes become F, M or other; a scanner becomes other
    where fewer than LEAST patients had it, its name is long or has unusual characters, or could be a date or a number.

    Raises InputError where an age is no number of years.
    """
    path, rows = folder / FILE, []
    for line, row in lines(path):
        try:
            rows.append({"patient": row["patient"], **_coarse(row)})
        except InputError as error:
            raise InputError(f"{path}:{line}: {error}") from error
    table = pd.DataFrame(rows)
    if "scanner" in table:
        patients = table.groupby("scanner")["patient"].transform("nunique")
        table["scanner"] = table["scanner"].where(
            (patients >= LEAST) | (table["scanner"] == ""), OTHER
        )
    kept = table.columns.drop("patient", errors="ignore")
    return table[kept] if len(kept) else None


def _coarse(row: dict[str, str]) -> dict[str, str]:
    makers = {"scanner": _scanner, "sex": _sex, "age": _age}
    return {
        name: make(row[name]) if row[name] else "" for name, make in makers.items() if name in row
    }


def _scanner(cell: str) -> str:
    return cell if PLAIN.fullmatch(cell) and not LONG_NUMBER.search(cell) else OTHER


def _sex(cell: str) -> str:
    return SEXES.get(cell.lower(), OTHER)


def _age(cell: str) -> str:
    years = to_number(cell)
    if not (math.isfinite(years) and 0 <= years <= MOST):
        raise InputError(
            f"age is {cell!r}, expected years from 0 to {MOST}, or nothing where it is not known"
        )
    start = int(years // BAND) * BAND
    return f"{OLDEST} and above" if start >= OLDEST else f"{start} to {start + BAND - 1}"
