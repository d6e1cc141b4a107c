"""MetaImage files (.mha, .mhd), read without ITK.

ITK opens every file that a header names, wherever it is, and its reading of a header is hard to
predict: blanks, empty lines and repeated keys have an effect. Here the header is parsed once, and
what it names is opened by `find_data_file` only.
Format: https://itk.org/Wiki/ITK/MetaIO/Documentation.
"""

import re
from pathlib import Path
from typing import BinaryIO

import numpy as np

from graft.common.files import InputError
from graft.common.shown import shown
from graft.grids.volume import LPS_TO_RAS
from graft.volumes.header import parse_integers, parse_numbers, read_lines
from graft.volumes.voxel_data import check_shape, find_data_file, read_voxels, skip_bytes

FIELD = re.compile(r"([^=:]+?)\s*[=:]\s*(.*)")
LAST_KEY = "ElementDataFile"  # the voxels or the name of their file follow
DTYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
# Other spellings of a key; of several, the first one that is there counts.
ORIGINS = ("Offset", "Position", "Origin")
DIRECTIONS = ("TransformMatrix", "Rotation", "Orientation")
SPACINGS = ("ElementSpacing", "ElementSize")
BYTE_ORDERS = ("BinaryDataByteOrderMSB", "ElementByteOrderMSB")


def read_metaimage(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the voxels (I, J, K) and their affine (4, 4) to mm, RAS+.

    Raises InputError without the path if the header or the data file cannot be used.
    """
    with path.open("rb") as file:
        fields = _read_fields(file)
        shape = _read_shape(fields)
        check_shape(shape)
        dtype = _read_dtype(fields)
        is_compressed = _is_true(fields, "CompressedData")
        affine = _read_affine(fields)
        [skipped] = parse_integers("HeaderSize", fields.get("HeaderSize", "0"), 1)
        name = fields[LAST_KEY]
        if name.upper() == "LOCAL":
            if skipped:
                raise InputError(f"has the HeaderSize {skipped}, expected none with LOCAL data")
            return read_voxels(file, shape, dtype, is_compressed), affine
    with find_data_file(path, name).open("rb") as data:
        skip_bytes(data, skipped, shape, dtype)
        return read_voxels(data, shape, dtype, is_compressed), affine


def name_data_file(path: Path) -> Path | None:
    """The file that a header names for its voxels; None if they follow the header.

    Raises InputError without the path if the header or the data file cannot be used.
    """
    with path.open("rb") as file:
        name = _read_fields(file)[LAST_KEY]
    return None if name.upper() == "LOCAL" else find_data_file(path, name)


def _read_fields(file: BinaryIO) -> dict[str, str]:
    """The keys and values up to `ElementDataFile`, after which the file is left."""
    fields: dict[str, str] = {}
    for line in read_lines(file):
        if not line:
            continue
        found = FIELD.fullmatch(line)
        if found is None:
            raise InputError(f"has {shown(line)} in its header, expected a key and a value")
        key, value = found.groups()
        if key in fields:
            raise InputError(f"has {shown(key)} twice in its header, expected it once")
        fields[key] = value
        if key == LAST_KEY:
            return fields
    raise InputError(f"has a header without {LAST_KEY}, it may be cut short or damaged")


def _read_shape(fields: dict[str, str]) -> list[int]:
    """The voxels along each axis, after the values of each voxel if it has several."""
    [dimensions] = parse_integers("NDims", fields.get("NDims", ""), 1)
    shape = parse_integers("DimSize", fields.get("DimSize", ""), dimensions)
    key = "ElementNumberOfChannels"
    [channels] = parse_integers(key, fields.get(key, "1"), 1)
    return shape if channels == 1 else [channels, *shape]


def _read_dtype(fields: dict[str, str]) -> np.dtype:
    name = fields.get("ElementType", "nothing")
    if name not in DTYPES:
        raise InputError(f"has the ElementType {shown(name)}, expected one of {', '.join(DTYPES)}")
    if not _is_true(fields, "BinaryData", default="True"):
        raise InputError("has BinaryData = False, expected True")
    orders = {_is_true(fields, key) for key in BYTE_ORDERS if key in fields}
    if len(orders) > 1:
        raise InputError(f"has {' and '.join(BYTE_ORDERS)} that differ, expected one byte order")
    byte_order = ">" if True in orders else "<"
    return np.dtype(byte_order + DTYPES[name])


def _read_affine(fields: dict[str, str]) -> np.ndarray:
    """Each row of the matrix in the file is the direction of an axis of the voxels, in LPS+."""
    affine = np.eye(4)
    directions = _numbers_of_first(fields, DIRECTIONS, "1 0 0 0 1 0 0 0 1")
    spacing = _numbers_of_first(fields, SPACINGS, "1 1 1")
    affine[:3, :3] = directions.reshape(3, 3).T * spacing
    affine[:3, 3] = _numbers_of_first(fields, ORIGINS, "0 0 0")
    return LPS_TO_RAS @ affine


def _numbers_of_first(fields: dict[str, str], keys: tuple[str, ...], default: str) -> np.ndarray:
    """The value of the first key that is there, with as many numbers as the default."""
    found = [key for key in keys if key in fields]
    count = len(default.split())
    if not found:
        return parse_numbers(keys[0], default, count)
    return parse_numbers(found[0], fields[found[0]], count)


def _is_true(fields: dict[str, str], key: str, default: str = "False") -> bool:
    return fields.get(key, default)[:1] in ("T", "t", "1")
