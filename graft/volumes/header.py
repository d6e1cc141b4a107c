"""Numbers and lines in the text headers of MetaImage and NRRD files."""

import os
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from graft.common.files import InputError
from graft.common.shown import shown

MAX_LINE_BYTES = 1 << 16
MAX_LINES = 1 << 12
MAX_INTEGER = 1 << 53  # up to which a float64 is exact


def read_lines(file: BinaryIO) -> Iterator[str]:
    """Read the lines of a header one by one, so that the file is left at the end of the last one.

    A line that is too long comes in pieces, and a file that does not end is not read to its end.
    """
    for _ in range(MAX_LINES):
        line = file.readline(MAX_LINE_BYTES)
        if not line:
            return
        yield os.fsdecode(line).strip()


def parse_numbers(key: str, text: str, count: int | None = None) -> np.ndarray:
    """The numbers of a value; raises InputError if they are not finite or not `count` numbers."""
    try:
        found = np.array([float(word) for word in text.split()])
    except ValueError:
        found = np.empty(0)
    is_expected = len(found) > 0 if count is None else len(found) == count
    if not is_expected or not np.isfinite(found).all():
        wanted = "a finite number" if count == 1 else f"{count or 'some'} finite numbers"
        given = f"the {key} {shown(text)}" if text else f"no {key}"
        raise InputError(f"has {given}, expected {wanted}")
    return found


def parse_integers(key: str, text: str, count: int | None = None) -> list[int]:
    """The whole numbers of a value; raises InputError as `parse_numbers` does."""
    found = parse_numbers(key, text, count)
    if (found % 1 != 0).any() or (np.abs(found) > MAX_INTEGER).any():
        raise InputError(f"has the {key} {shown(text)}, expected whole numbers")
    return [int(number) for number in found]
