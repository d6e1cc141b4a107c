"""Compressed voxels: inflated a chunk at a time, by ISA-L if it is installed and zlib if it is not.

A small file may inflate to any size, so no more than a chunk is inflated before it is asked for.
ISA-L inflates twice as fast as zlib and checks the same checksums.
"""

import zlib
from collections.abc import Iterator
from functools import partial
from typing import Any, BinaryIO

from graft.common.files import InputError

CHUNK_BYTES = 1 << 18  # read or inflated at a time
MAX_GZIP_MEMBERS = 1 << 17  # parts that were compressed separately: as bgzip does it, 8 GiB
ZLIB_OR_GZIP = 32 + zlib.MAX_WBITS  # tells both libraries to recognise both forms


def read_chunks(file: BinaryIO) -> Iterator[bytes]:
    """Read a file to its end, a chunk at a time."""
    return iter(partial(file.read, CHUNK_BYTES), b"")


def inflate(file: BinaryIO) -> Iterator[bytes]:
    """Inflate a zlib stream, or a gzip file of one or several members, a chunk at a time.

    Zeros after the last member are padding.

    Raises InputError if the data is damaged, does not match its checksum or is cut short.
    """
    library = _find_library()
    members = 1
    stream = library.decompressobj(ZLIB_OR_GZIP)
    for read in read_chunks(file):
        rest = read
        is_pending = True
        while is_pending:
            if stream.eof:
                rest = rest.lstrip(b"\0")
                if not rest:
                    break
                members += 1
                stream = library.decompressobj(ZLIB_OR_GZIP)
            if members > MAX_GZIP_MEMBERS:
                raise InputError(f"has over {MAX_GZIP_MEMBERS} gzip members, expected fewer")
            try:
                chunk = stream.decompress(rest, CHUNK_BYTES)
            except (zlib.error, library.error) as error:
                raise InputError(
                    f"cannot be read, it may be cut short or damaged ({error})"
                ) from error
            yield chunk
            rest = stream.unused_data if stream.eof else stream.unconsumed_tail
            # A library may keep inflated bytes although it has read all that it was given.
            is_pending = bool(rest) or (not stream.eof and len(chunk) == CHUNK_BYTES)
    if not stream.eof:
        raise InputError("cannot be read, it may be cut short (its compressed data has no end)")


def crc32(content: memoryview) -> int:
    """The CRC-32 of some bytes, which ISA-L computes several times as fast as zlib."""
    return _find_library().crc32(content)


def _find_library() -> Any:
    """ISA-L's counterpart of the module `zlib`, or this module itself."""
    try:
        from isal import isal_zlib
    except ImportError:  # it has no wheels for some machines
        return zlib
    return isal_zlib
