"""Tables of raw data: CSV files in UTF-8, with a row per lesion or image."""

import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from graft.common.files import InputError
from graft.common.links import check_file_inside

MAX_BYTES = 1 << 28  # millions of rows


def iterate_rows(
    path: Path, check_columns: Callable[[Path, Sequence[str]], None]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the line number and the cells of each row of a table, without surrounding blanks.

    Blank lines are skipped.

    Args:
        path: the file.
        check_columns: is called with the path and the headings; raises InputError if one is
            missing.

    Raises:
        InputError: if the file is no table, has a column twice, or a row has too few cells.
    """
    check_file_inside(path, path.parent)
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise InputError(f"{path}: has {size} bytes, expected at most {MAX_BYTES}")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.reader(file)
            columns = [name.strip() for name in next(table, [])]
            check_columns(path, columns)
            if len(set(columns)) < len(columns):
                raise InputError(
                    f"{path}: has a column twice, expected names that differ "
                    f"(found {', '.join(columns)})"
                )
            for row in table:
                cells = [cell.strip() for cell in row]
                if len(cells) not in (0, len(columns)):
                    raise InputError(
                        f"{path}:{table.line_num}: has {len(cells)} cells, expected {len(columns)}"
                    )
                if cells:
                    yield table.line_num, dict(zip(columns, cells, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path}: cannot be read as a table with commas, in UTF-8 ({error})"
        ) from error
