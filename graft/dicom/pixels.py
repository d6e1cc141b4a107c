"""Pixels: decoded by one fixed decoder per transfer syntax, and rescaled where they are read."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graft.common.files import InputError
from graft.dicom.codestream import check_codestream
from graft.dicom.elements import count_frames, read_integer
from graft.dicom.slices import Slice

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.pixels.decoders.base import Decoder
    from pydicom.uid import UID

# Plugins of pydicom. One per transfer syntax, because lossy pixels differ by 1 between decoders.
# With damaged data, other plugins crashed the process or never returned.
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
RLE_LOSSLESS = "1.2.840.10008.1.2.5"
PLUGINS = {JPEG_BASELINE: "pillow", RLE_LOSSLESS: "pydicom"}
OTHER_PLUGIN = "pylibjpeg"
# JPEG Extended, JPEG Lossless (two), JPEG-LS (two): pylibjpeg decodes them with an optional
# package under the GPL. For JPEG 2000 it uses pylibjpeg-openjpeg, which graft requires.
OPTIONAL_PACKAGE = "pylibjpeg-libjpeg"
OPTIONAL_EXTRA = "jpeg"


@dataclass(frozen=True)
class RescaledVoxels:
    """Stored integers (I, J, K) that read as slope · stored + intercept of their slice."""

    stored: np.ndarray
    slope: np.ndarray  # (K,)
    intercept: np.ndarray  # (K,)

    dtype = np.dtype(np.float64)
    ndim = 3

    @property
    def shape(self) -> tuple[int, ...]:
        """The size along each axis."""
        return self.stored.shape

    def __getitem__(self, where: Any, /) -> np.ndarray:
        slope = np.broadcast_to(self.slope, self.shape)[where]
        intercept = np.broadcast_to(self.intercept, self.shape)[where]
        return self.stored[where] * slope + intercept

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        return self[...].astype(dtype or self.dtype, copy=False)


def decode_frames(dataset: "Dataset", wanted: list[Slice]) -> Iterator[np.ndarray]:
    """Decode the stored integers (rows, columns) of slices of one file, in the order of `wanted`.

    Call it within `reading_dicom`, because damaged data makes a decoder raise anything.

    Raises InputError if the file has other pixels than its header gives, or if its decoder is not
    installed.
    """
    from pydicom.pixels import get_decoder

    syntax = _transfer_syntax(dataset)
    streams = _check_length(dataset, syntax.is_encapsulated)
    decoder = get_decoder(syntax)
    plugin = PLUGINS.get(syntax, OTHER_PLUGIN)
    if streams:
        _check_installed(decoder, plugin, syntax)
    expected_type = pixel_dtype(wanted[0].bits)
    limits = np.iinfo(expected_type)
    for one in wanted:
        if streams and syntax != RLE_LOSSLESS:
            allocated = read_integer(dataset, "BitsAllocated")
            check_codestream(streams[one.frame_number], syntax, one.size, allocated)
        plane, _ = decoder.as_array(
            dataset, index=one.frame_number, raw=True, decoding_plugin=plugin
        )
        if plane.shape != one.size or plane.min() < limits.min or plane.max() > limits.max:
            raise InputError(
                f"has other pixels than its header gives, expected {one.size} of {expected_type}"
            )
        yield plane


def pixel_dtype(bits: tuple[int, int]) -> np.dtype:
    """The type of stored pixels, from the bits allocated and 1 for signed values."""
    allocated, signed = bits
    kind = "i" if signed else "u"
    return np.dtype(f"{kind}{allocated // 8}")


def _check_installed(decoder: "Decoder", plugin: str, syntax: "UID") -> None:
    if plugin not in decoder.available_plugins:
        raise InputError(
            f"is compressed as {syntax.name}, which needs the extra {OPTIONAL_EXTRA!r} of graft; "
            f"install it with: pip install {OPTIONAL_PACKAGE}"
        )


def _transfer_syntax(dataset: "Dataset") -> "UID":
    """The transfer syntax; without a file header, the one that the data set was read in."""
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    named = dataset.file_meta.get("TransferSyntaxUID")
    if named:
        return named
    if len(dataset.file_meta):
        raise InputError("has no TransferSyntaxUID, it may be damaged")
    is_implicit, is_little_endian = dataset.original_encoding
    if is_implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if is_little_endian else ExplicitVRBigEndian


def _check_length(dataset: "Dataset", encapsulated: bool) -> list[bytes]:
    """The compressed frames, none if the pixels are not compressed.

    Raises InputError if there are more or fewer pixels than the header gives.
    """
    from pydicom.encaps import generate_frames

    count = count_frames(dataset)
    if "PixelData" not in dataset:
        raise InputError("has no PixelData, it may be cut short")
    if encapsulated:
        found = list(generate_frames(dataset.PixelData, number_of_frames=count))
        if len(found) != count:
            raise InputError(f"has {len(found)} compressed frames, expected {count}")
        return found
    if dataset["PixelData"].is_undefined_length:
        raise InputError("has compressed PixelData and a TransferSyntaxUID without compression")
    pixels = read_integer(dataset, "Rows") * read_integer(dataset, "Columns")
    plane = pixels * read_integer(dataset, "BitsAllocated") // 8  # bytes
    length = len(dataset.PixelData)
    if not plane * count <= length < plane * (count + 1):
        raise InputError(
            f"has {length} bytes of PixelData, expected {plane * count}: it may be cut short"
        )
    return []
