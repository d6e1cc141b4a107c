"""The voxels of a file: checked against its size first, and read no further than necessary.

Headers are not trusted. They may claim more voxels than the file has, and a small file may inflate
to any size.
"""

import math
import os
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np

from graft.common.files import InputError, check_regular_file
from graft.common.shown import shown
from graft.volumes.inflate import inflate, read_chunks

DIMENSIONS = 3
MAX_SHOWN_AXES = 8  # in an error
REAL_KINDS = "biuf"  # of NumPy's types
MAX_SCAN_BYTES = 1 << 32  # 1024³ voxels of 4 bytes: each of several processes has one in memory
# Deflate cannot do better (zlib.net/zlib_tech.html, "Maximum Compression Factor").
MAX_COMPRESSION = 1032
MAX_TRAILING_BYTES = 1 << 20  # that may follow the voxels in a compressed file


def find_data_file(header: Path, name: str) -> Path:
    """Find the file that a header names for its voxels.

    Raises InputError if it is not a regular file in the folder of the header, or links to
    another folder.
    """
    path = header.parent / name
    try:
        is_beside = path.resolve().parent == header.parent.resolve() and path.exists()
    except (OSError, RuntimeError, ValueError):  # circular links, impossible characters
        is_beside = False
    if not is_beside:
        raise InputError(f"its data file is {shown(name)}, expected a file in the same folder")
    check_regular_file(path)
    return path


def read_voxels(
    file: BinaryIO, shape: Sequence[int], dtype: np.dtype, is_compressed: bool
) -> np.ndarray:
    """Read the voxels (I, J, K) from the current position of a file, the first axis fastest.

    Args:
        file: A regular file.
        shape: The voxels along each axis, as a header claims them.
        dtype: The type of a voxel, in its byte order.
        is_compressed: Whether the voxels are a zlib stream or a gzip file.

    Raises:
        InputError: If the claim is impossible or too large, or if the file is cut short or damaged.
    """
    needed = count_bytes(shape, dtype)
    check_size(count_remaining(file), needed, is_compressed)
    chunks = inflate(file) if is_compressed else read_chunks(file)
    content = fill(chunks, needed)
    if is_compressed:
        check_end(chunks)
    return content.view(dtype).reshape(shape, order="F")


def check_shape(shape: Sequence[int]) -> None:
    """Raise InputError if a header does not claim voxels along three axes."""
    if len(shape) != DIMENSIONS:
        raise InputError(
            f"has {len(shape)} dimensions {tuple(shape[:MAX_SHOWN_AXES])}, expected three"
        )
    if min(shape) < 1:
        raise InputError(f"claims {tuple(shape)} voxels, expected at least 1 along each axis")


def count_bytes(shape: Sequence[int], dtype: np.dtype) -> int:
    """The bytes of the voxels that a header claims.

    Raises InputError if no scan has so many, or such voxels.
    """
    check_shape(shape)
    if dtype.kind not in REAL_KINDS:
        raise InputError(f"has {dtype}, expected one real number per voxel")
    needed = math.prod(shape) * dtype.itemsize
    if needed > MAX_SCAN_BYTES:
        raise InputError(
            f"claims {tuple(shape)} voxels of {dtype.name}, {needed} bytes, "
            f"expected at most {MAX_SCAN_BYTES}"
        )
    return needed


def skip_bytes(file: BinaryIO, skipped: int, shape: Sequence[int], dtype: np.dtype) -> None:
    """Move behind what precedes the voxels; a negative number means that the voxels come last.

    Raises InputError if the file ends before.
    """
    size = os.fstat(file.fileno()).st_size
    start = file.tell() + skipped if skipped >= 0 else size - count_bytes(shape, dtype)
    if not 0 <= start <= size:
        raise InputError(f"has {size} bytes, expected its voxels from byte {start} on")
    file.seek(start)


def count_remaining(file: BinaryIO) -> int:
    """The bytes from the current position of a file to its end."""
    return os.fstat(file.fileno()).st_size - file.tell()


def check_size(available: int, needed: int, is_compressed: bool) -> None:
    """Raise InputError if the bytes of a file cannot hold those that its header claims."""
    if not is_compressed and available < needed:
        raise InputError(f"is cut short, has {available} bytes of voxels, expected {needed}")
    if is_compressed and available * MAX_COMPRESSION < needed:
        raise InputError(
            f"is cut short, has {available} compressed bytes, too few for the {needed} it claims"
        )


def fill(chunks: Iterator[bytes], needed: int, start: bytes = b"") -> np.ndarray:
    """Collect the first bytes of a file in an array (needed,) uint8.

    Args:
        chunks: of the file; what is not needed of the last one is dropped.
        needed: the number of bytes.
        start: what was read of the file before.

    Raises:
        InputError: if the file has fewer bytes.
    """
    content = np.empty(needed, np.uint8)
    filled = 0
    for chunk in chain([start], chunks):
        part = np.frombuffer(chunk, np.uint8)[: needed - filled]
        content[filled : filled + len(part)] = part
        filled += len(part)
        if filled == needed:
            return content
    raise InputError(f"is cut short, has {filled} bytes, expected {needed}")


def check_end(chunks: Iterator[bytes]) -> None:
    """Inflate to the end for the checksum; raises InputError if the end is far away."""
    trailing = 0
    for chunk in chunks:
        trailing += len(chunk)
        if trailing > MAX_TRAILING_BYTES:
            raise InputError(
                f"inflates to {MAX_TRAILING_BYTES} bytes more than its header claims, "
                "expected the voxels only"
            )
