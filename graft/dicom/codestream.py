"""The size that compressed pixels give in their own header, checked before they are decoded."""

from typing import NamedTuple

from graft.common.files import InputError

JPEG_SYNTAX = "1.2.840.10008.1.2.4."  # what transfer syntaxes of the JPEG family start with
JPEG2000_SYNTAXES = ("90", "91", "201", "202", "203")  # how they end, with those of HTJ2K
JPEG2000_START = b"\xff\x4f\xff\x51"  # the markers SOC and SIZ
JPEG_START = b"\xff\xd8"  # the marker SOI
# The second byte of the SOF of JPEG (baseline, extended, progressive, lossless) and of JPEG-LS.
FRAME_MARKERS = {0xC0, 0xC1, 0xC2, 0xC3, 0xF7}


class CodestreamSize(NamedTuple):
    """What the header of compressed pixels gives."""

    rows: int
    columns: int
    bits: int
    components: int


def check_codestream(stream: bytes, syntax: str, size: tuple[int, int], allocated: int) -> None:
    """Raise InputError if compressed pixels give another size in their own header.

    Decoders believe that header, and reserve as much memory as it asks for.
    """
    if str(syntax).removeprefix(JPEG_SYNTAX) in JPEG2000_SYNTAXES:
        found = _jpeg2000_size(stream)
    else:
        found = _jpeg_size(stream)
    rows, columns = size
    is_expected = (found.rows, found.columns) == size and found.components == 1
    if not is_expected or found.bits > allocated:
        raise InputError(
            f"has compressed pixels of {found.rows} x {found.columns}, "
            f"expected {rows} x {columns}, grey"
        )


def _jpeg2000_size(stream: bytes) -> CodestreamSize:
    """Read the marker SIZ, which comes first (ISO/IEC 15444-1, A.5.1)."""
    if not stream.startswith(JPEG2000_START):
        raise InputError("has compressed pixels that do not begin as JPEG 2000 does")
    right, bottom, left, top = (_read_big_endian(stream, at, 4) for at in (8, 12, 16, 20))
    return CodestreamSize(
        rows=bottom - top,
        columns=right - left,
        bits=(stream[42] & 0x7F) + 1,
        components=_read_big_endian(stream, 40, 2),
    )


def _jpeg_size(stream: bytes) -> CodestreamSize:
    """Read the frame header (ISO/IEC 10918-1, B.2.2; ISO/IEC 14495-1, C.2.2)."""
    at = len(JPEG_START)
    while stream.startswith(JPEG_START) and at + 9 < len(stream) and stream[at] == 0xFF:
        if stream[at + 1] in FRAME_MARKERS:
            return CodestreamSize(
                rows=_read_big_endian(stream, at + 5, 2),
                columns=_read_big_endian(stream, at + 7, 2),
                bits=stream[at + 4],
                components=stream[at + 9],
            )
        at += 2 + _read_big_endian(stream, at + 2, 2)
    raise InputError("has compressed pixels that do not begin as JPEG does")


def _read_big_endian(stream: bytes, at: int, length: int) -> int:
    return int.from_bytes(stream[at : at + length], "big")
