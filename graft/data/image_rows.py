"""Some rows of an array, read from its file when they are needed."""

import mmap
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from graft.common.files import InputError

if TYPE_CHECKING:  # stages that only read a domain do not import torch, which takes seconds
    from torch import Tensor

BLOCK_BYTES = 2**24  # of an array that is read from end to end


class ImageRows:
    """N rows of an array (M, *shape), such as the images of a domain, which stay in their file.

    They are read from the file and not through its memory map. So pages that were read do not add
    up in this process, and a file that becomes shorter is an error, where a map kills the process.
    An array that is in memory is indexed.

    Attributes:
        shape: (N, *shape).
        nbytes: of all N rows.
    """

    def __init__(self, array: np.ndarray, rows: np.ndarray) -> None:
        """Choose rows of an array. Nothing is read yet."""
        self.shape = (len(rows), *array.shape[1:])
        self.nbytes = len(rows) * array[:1].nbytes
        self._array = array
        self._rows = np.asarray(rows)
        self._file = _file_of(array)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, chosen: "slice | np.ndarray | Tensor") -> np.ndarray:
        """Read the rows with some numbers from 0 to N − 1: (B, *shape).

        Raises:
            InputError: if the file was changed after these rows were chosen.
        """
        rows = self._rows[chosen if isinstance(chosen, slice) else np.asarray(chosen)]
        if self._file is None or not len(rows):
            return np.ascontiguousarray(self._array[rows])
        found = np.empty((len(rows), *self.shape[1:]), self._array.dtype)
        self._file.read(rows, found)
        return found

    def take(self, chosen: np.ndarray) -> "ImageRows":
        """Choose some of these rows by their numbers (B,). Nothing is read yet."""
        return ImageRows(self._array, self._rows[chosen])

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield all rows in their order, about BLOCK_BYTES at a time: (B, *shape)."""
        row_bytes = max(1, self._array[:1].nbytes)
        size = max(1, BLOCK_BYTES // row_bytes)
        for start in range(0, len(self), size):
            yield self[start : start + size]


def all_rows(array: np.ndarray) -> ImageRows:
    """All rows of an array, in their order."""
    return ImageRows(array, np.arange(len(array)))


@dataclass(frozen=True)
class _File:
    """The file of a memory map: where its first row begins, and what it is now."""

    path: Path
    offset: int
    state: tuple[int, ...]

    def read(self, rows: np.ndarray, found: np.ndarray) -> None:
        """Read some rows into `found`, which has their type and shape.

        Raises:
            InputError: if the file cannot be read, or is not the one that it was.
        """
        bytes_of_rows = found.reshape(len(rows), -1).view(np.uint8)  # (B, bytes of a row)
        row_bytes = bytes_of_rows.shape[1]
        apart = np.flatnonzero(np.diff(rows) != 1) + 1  # neighbours are read at once
        try:
            with self.path.open("rb") as file:
                complete = _state(os.fstat(file.fileno())) == self.state
                for start, end in zip([0, *apart], [*apart, len(rows)], strict=True):
                    file.seek(self.offset + int(rows[start]) * row_bytes)
                    wanted = bytes_of_rows[start:end]
                    complete &= file.readinto(wanted.data) == wanted.nbytes
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read ({error})") from error
        if not complete:
            raise InputError(
                f"{self.path}: was changed while it was read, expected the same file until the "
                "stage ends; run it again"
            )


def _file_of(array: np.ndarray) -> _File | None:
    """The file of an array that is a complete memory map, in C order; None for other arrays."""
    if not isinstance(array, np.memmap) or not array.flags.c_contiguous:
        return None
    if not isinstance(array.base, mmap.mmap) or array.filename is None:  # a part of a map
        return None
    path = Path(array.filename)
    if not path.is_file():  # it was renamed or deleted after it was mapped
        return None
    return _File(path, array.offset, _state(path.stat()))


def _state(status: os.stat_result) -> tuple[int, ...]:
    """What differs if a file was replaced, cut short or written to."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
