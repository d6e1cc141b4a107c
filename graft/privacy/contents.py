"""The bytes of files in pieces, also of packed ones, and where in a file a byte is."""

import gzip
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from graft.common.files import InputError

READ_AT_ONCE = 1 << 24  # bytes
UNPACKING_ERRORS = (
    OSError,
    EOFError,
    zlib.error,
    zipfile.BadZipFile,
    RuntimeError,
    NotImplementedError,
)


class ReadableBytes(Protocol):
    """A file that is open for reading bytes."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, none at the end."""


@dataclass(frozen=True)
class Piece:
    """Some bytes of a file.

    Attributes:
        content: the bytes, of which the first `repeated` ended the piece before.
        repeated: their number.
        offset: of the first byte.
        lines: that end before it; None if the file is no text.
        packed: the number of the file in an archive, from 1; 0 if it is not packed.
    """

    content: bytes
    repeated: int
    offset: int
    lines: int | None
    packed: int

    def place(self, start: int) -> str:
        """Where the byte number `start` of the piece is, as `:12`, or ` (byte 5)` in no text."""
        inside = f" (unpacked file {self.packed})" if self.packed else ""
        if self.lines is None:
            return f"{inside} (byte {self.offset + start})"
        line = self.lines + self.content.count(b"\n", 0, start) + 1
        return f"{inside}:{line}"


def read_contents(file: Path, overlap: int) -> Iterator[Piece]:
    """The bytes of a file in overlapping pieces, then those that a .gz or .zip unpacks to.

    Raises InputError if it cannot be unpacked.
    """
    with file.open("rb") as plain:
        yield from _read_pieces(plain, overlap, 0)
    try:
        if file.suffix == ".gz":
            with gzip.open(file) as unpacked:
                yield from _read_pieces(unpacked, overlap, 1)
        elif zipfile.is_zipfile(file):  # .npz too
            with zipfile.ZipFile(file) as archive:
                for number, name in enumerate(archive.namelist(), start=1):
                    with archive.open(name) as member:
                        yield from _read_pieces(member, overlap, number)
    except UNPACKING_ERRORS as error:
        raise InputError(
            f"{file}: cannot be unpacked to search it ({type(error).__name__})"
        ) from None


def _read_pieces(file: ReadableBytes, overlap: int, packed: int) -> Iterator[Piece]:
    repeated = b""
    offset = 0
    lines: int | None = 0
    while read := file.read(READ_AT_ONCE):
        content = repeated + read
        if b"\0" in read:
            lines = None
        yield Piece(content, len(repeated), offset, lines, packed)
        kept = min(overlap, len(content))
        passed = len(content) - kept
        if lines is not None:
            lines += content.count(b"\n", 0, passed)
        offset += passed
        repeated = content[passed:]
