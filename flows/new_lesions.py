"""The lesions of a source that a model has not scored yet, copied without any names."""

import csv
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from flows.fetch import Fetcher, UnusableError, digest_content
from flows.incoming import MANIFEST, Row
from graft.common.files import InputError

FILES = ("image", "mask")  # columns
PLACE = ("x", "y", "z", "frame", "series", "segment", "diameter_mm")


@dataclass(frozen=True)
class NewLesion:
    """A lesion that has not been scored.

    Attributes:
        line: of the manifest of the source; None without one.
        scan: the digest of the content of its image.
        key: the digest of everything that its prediction depends on, except for the model.
        cells: what the model may read, by column; `image` and `mask` are copies.
    """

    line: int | None
    scan: str
    key: str
    cells: Mapping[str, str]


def find_new_lesions(
    rows: Sequence[Row],
    fetcher: Fetcher,
    covariates: Collection[str],
    scored: Collection[str],
    most: int,
) -> tuple[list[NewLesion], list[dict]]:
    """Find lesions that have not been scored, and copy their files.

    Args:
        rows: what the source lists.
        fetcher: copies from the source.
        covariates: the columns that the model reads. Others, such as names, are not copied.
        scored: the keys of earlier lesions.
        most: how many lesions are enough.

    Returns:
        The lesions, and a failure for each row whose files cannot be read.
    """
    found: dict[str, NewLesion] = {}
    failures = []
    for row in rows:
        if len(found) == most:
            break
        try:
            lesion = _look_up(row, fetcher, covariates)
            if lesion.key not in found and lesion.key not in scored:
                copies = {
                    name: fetcher.copy(row.cells[name]) for name in FILES if row.cells.get(name)
                }
                found[lesion.key] = replace(lesion, cells={**lesion.cells, **copies})
        except UnusableError as error:
            reason = str(error)
            failures.append({"scan": None, "line": row.line, "key": None, "reason": reason})
    return list(found.values()), failures


def write_manifest(folder: Path, lesions: Sequence[NewLesion]) -> None:
    """Write a manifest with a line for each lesion, in their order.

    Raises:
        InputError: if a heading or a cell has a line break, which would move the lines below it.
    """
    columns = dict.fromkeys(name for lesion in lesions for name in lesion.cells)
    texts = [*columns, *(text for lesion in lesions for text in lesion.cells.values())]
    if any("\n" in text or "\r" in text for text in texts):
        raise InputError(f"{MANIFEST}: has a line break in a heading or a cell, expected none")
    with (folder / MANIFEST).open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(columns), restval="")
        table.writeheader()
        table.writerows(lesion.cells for lesion in lesions)


def _look_up(row: Row, fetcher: Fetcher, covariates: Collection[str]) -> NewLesion:
    contents = {name: fetcher.digest(row.cells[name]) for name in FILES if row.cells.get(name)}
    if "image" not in contents:
        raise UnusableError("image is empty, expected a file or a folder")
    cells = {
        name: " ".join(row.cells[name].splitlines())  # a line for each lesion
        for name in (*PLACE, *covariates)
        if name in row.cells
    }
    known = {name: cell for name, cell in cells.items() if cell}
    return NewLesion(row.line, contents["image"], digest_content([contents, known]), cells)
