"""CSV files whose last line is the SHA-256 of everything above it: `# sha256 <64 digits>`."""

import hashlib
import io
from pathlib import Path

import pandas as pd

from graft.common.files import REMEDY, InputError, check_digest, check_regular_file, whole_file
from graft.common.tables import write_csv

MARK = "# sha256 "
LENGTH = 65  # of what follows: 64 digits and the end of the line


def write_sealed_table(path: Path, table: pd.DataFrame, about: str = "") -> None:
    """Write a table as CSV with its SHA-256, completely or not at all.

    Args:
        path: the file.
        table: its columns are written, but not its index.
        about: what the table is about. Its readers must name the same.
    """
    with whole_file(path) as partial:
        write_csv(partial, table)
        text = partial.read_bytes().decode()
        sealed = f"{text}{MARK}{_digest(text, about)}\n"
        partial.write_bytes(sealed.encode())


def open_sealed_table(path: Path, about: str = "") -> io.StringIO:
    """Open a table that `write_sealed_table` wrote, as CSV for pandas.

    Raises:
        InputError: if the file is missing, has no SHA-256, was changed after it was written, or
            was written about something else.
    """
    check_regular_file(path)
    try:
        content = path.read_bytes().decode()
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as a table ({error})") from error
    text, mark, found = content.rpartition(MARK)
    if not mark or len(found) != LENGTH:
        raise InputError(
            f"{path}: has no line {MARK!r} at the end, expected the one that graft writes; {REMEDY}"
        )
    check_digest(path, _digest(text, about), found.removesuffix("\n"))
    return io.StringIO(text)


def _digest(text: str, about: str) -> str:
    return hashlib.sha256(f"{about}\0{text}".encode()).hexdigest()
