"""Tables as CSV files that a spreadsheet can open without running anything in them."""

import re
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

from graft.common.files import InputError

if TYPE_CHECKING:
    import pandas as pd

FORMULA_SIGNS = tuple("=+-@\t\r\n")
SIGNED_NUMBER = re.compile(r"[+-][0-9.]*(e[+-]?[0-9]+)?", re.IGNORECASE)


def is_formula(text: str) -> bool:
    """Whether a spreadsheet may run a cell with this text. A number or a sign alone is harmless.

    Source: OWASP, "CSV Injection". Some spreadsheets treat full-width signs like the others.
    """
    begins_like_one = unicodedata.normalize("NFKC", text[:1]).startswith(FORMULA_SIGNS)
    return begins_like_one and not SIGNED_NUMBER.fullmatch(text)


def write_csv(path: Path, table: "pd.DataFrame", index: bool = False) -> None:
    """Write a table as CSV. No number loses a digit.

    Args:
        path: the file.
        table: with a heading for each column.
        index: whether the first column is the index of the table.

    Raises:
        InputError: if a spreadsheet may run a heading or a cell as a formula.
    """
    for column in table.columns:
        cells = [column]
        if table[column].dtype.kind not in "biuf":
            cells += table[column].unique().tolist()
        for cell in cells:
            if is_formula(str(cell)):
                raise InputError(
                    f"{column}: got {cell!r}, which a spreadsheet may run as a formula, "
                    "expected text that does not begin with = + - @"
                )
    table.to_csv(path, index=index, lineterminator="\n")
