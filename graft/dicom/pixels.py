"""Pixels: decoded after their lengths were compared with what the header names, and rescaled where they are read."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from graft.common.files import InputError
from graft.dicom.datasets import whole
from graft.dicom.slices import Slice

if TYPE_CHECKING:
    from pydicom import Dataset

RLE = "1.2.840.10008.1.2.5"
JPEG2000 = "1.2.840.10008.1.2.4."  # and these two digits, with those of high throughput
JPEG2000_DIGITS = ("90", "91", "201", "202", "203")
DECODER = {
    RLE: "pydicom"
}  # of pydicom's; others ended the process or never ended, when given damaged data
OTHER_DECODER = "pylibjpeg"
FRAME_HEADERS = {
    0xC0,
    0xC1,
    0xC2,
    0xC3,
    0xF7,
}  # SOF of JPEG: baseline, extended, progressive, lossless; JPEG-LS


@dataclass(frozen=True)
class Rescaled:
    """Stored integers (I, J, K) that read, where they are sliced, as slope · stored + intercept of their slice."""

    stored: np.ndarray
    slope: np.ndarray  # (K,)
    intercept: np.ndarray  # (K,)

    dtype = np.dtype(np.float64)
    ndim = 3

    @property
    def shape(self) -> tuple[int, ...]:
        return self.stored.shape

    def __getitem__(self, where: object) -> np.ndarray:
        slope, intercept = (
            np.broadcast_to(line, self.shape)[where] for line in (self.slope, self.intercept)
        )
        return self.stored[where] * slope + intercept

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        return self[...].astype(dtype or self.dtype, copy=False)


def frames(dataset: "Dataset", wanted: list[Slice]) -> Iterator[np.ndarray]:
    """The stored integers (rows, columns) of these slices of one file, in their order.

    Raises InputError where the file holds less or more than its header names, and anything where it is damaged:
    mind `datasets.reading`.
    """
    from pydicom.pixels import get_decoder

    syntax = _syntax(dataset)
    encapsulated = _check_length(dataset, syntax.is_encapsulated)
    decoder = get_decoder(syntax)
    container = dtype(wanted[0].bits)
    for one in wanted:
        if encapsulated:
            _check_codestream(
                encapsulated[one.index], syntax, one.size, whole(dataset, "BitsAllocated")
            )
        plugin = DECODER.get(syntax, OTHER_DECODER)
        plane, _ = decoder.as_array(dataset, index=one.index, raw=True, decoding_plugin=plugin)
        bounds = np.iinfo(container)
        if plane.shape != one.size or plane.min() < bounds.min or plane.max() > bounds.max:
            raise InputError(
                f"holds other pixels than its header names, expected {one.size} of {container}"
            )
        yield plane


def dtype(bits: tuple[int, int]) -> np.dtype:
    """The type of stored pixels, from the bits allocated and whether they have a sign."""
    return np.dtype(f"{'ui'[bits[1]]}{bits[0] // 8}")


def _syntax(dataset: "Dataset") -> object:
    """The transfer syntax; of a data set without file header, the one in which it was read."""
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    named = dataset.file_meta.get("TransferSyntaxUID")
    if named:
        return named
    if len(dataset.file_meta):
        raise InputError("has no TransferSyntaxUID, it may be damaged")
    implicit, little = dataset.original_encoding
    return (
        ImplicitVRLittleEndian
        if implicit
        else ExplicitVRLittleEndian
        if little
        else ExplicitVRBigEndian
    )


def _check_length(dataset: "Dataset", encapsulated: bool) -> list[bytes]:
    """The frames where they are compressed, else none; raises InputError where they are not as the header says."""
    from pydicom.encaps import generate_frames

    count = whole(dataset, "NumberOfFrames") if "NumberOfFrames" in dataset else 1
    if "PixelData" not in dataset:
        raise InputError("has no PixelData, it may be cut short")
    if encapsulated:
        found = list(generate_frames(dataset.PixelData, number_of_frames=count))
        if len(found) != count:
            raise InputError(f"has {len(found)} compressed frames, expected {count}")
        return found
    if dataset["PixelData"].is_undefined_length:
        raise InputError("has compressed PixelData and a TransferSyntaxUID without compression")
    plane = (
        whole(dataset, "Rows") * whole(dataset, "Columns") * whole(dataset, "BitsAllocated") // 8
    )
    length = len(dataset.PixelData)
    if not plane * count <= length < plane * (count + 1):
        raise InputError(
            f"has {length} bytes of PixelData, expected {plane * count}: it may be cut short"
        )
    return []


def _check_codestream(stream: bytes, syntax: str, size: tuple[int, int], allocated: int) -> None:
    """Refuse compressed pixels whose own header names another size: decoders believe it, and take the memory."""
    if syntax == RLE:
        return
    two_thousand = str(syntax).removeprefix(JPEG2000) in JPEG2000_DIGITS
    rows, columns, precision, components = (
        _size_of_jpeg2000(stream) if two_thousand else _size_of_jpeg(stream)
    )
    if (rows, columns) != size or precision > allocated or components != 1:
        raise InputError(
            f"has compressed pixels of {rows} x {columns}, expected {size[0]} x {size[1]}, grey"
        )


def _size_of_jpeg2000(stream: bytes) -> tuple[int, int, int, int]:
    """Rows, columns, bits and components of the marker SIZ (ISO/IEC 15444-1, A.5.1), which comes first of all."""
    if stream[:4] != b"\xff\x4f\xff\x51":
        raise InputError("has compressed pixels that do not begin as JPEG 2000 does")
    across, down, left, top = (int.from_bytes(stream[at : at + 4], "big") for at in (8, 12, 16, 20))
    return down - top, across - left, (stream[42] & 0x7F) + 1, int.from_bytes(stream[40:42], "big")


def _size_of_jpeg(stream: bytes) -> tuple[int, int, int, int]:
    """Rows, columns, bits and components of the frame header (ISO/IEC 10918-1, B.2.2; 14495-1, C.2.2)."""
    at = 2
    while stream[:2] == b"\xff\xd8" and at + 9 < len(stream) and stream[at] == 0xFF:
        if stream[at + 1] in FRAME_HEADERS:
            rows, columns = (int.from_bytes(stream[at + k : at + k + 2], "big") for k in (5, 7))
            return rows, columns, stream[at + 4], stream[at + 9]
        at += 2 + int.from_bytes(stream[at + 2 : at + 4], "big")
    raise InputError("has compressed pixels that do not begin as JPEG does")
