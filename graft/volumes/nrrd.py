"""NRRD files (.nrrd, .nhdr), read without ITK, for the reason that `metaimage` gives.

Format: https://teem.sourceforge.net/nrrd/format.html.
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

MAGIC = re.compile(r"NRRD000[1-5]")
VECTOR = re.compile(r"\(([^()]*)\)")
IS_COMPRESSED = {"raw": False, "gzip": True, "gz": True}  # by encoding
# Names of the types beside int16, uint16, int16_t and the like.
DTYPES = {
    "signed char": "i1",
    "uchar": "u1",
    "unsigned char": "u1",
    "short": "i2",
    "short int": "i2",
    "signed short": "i2",
    "signed short int": "i2",
    "ushort": "u2",
    "unsigned short": "u2",
    "unsigned short int": "u2",
    "int": "i4",
    "signed int": "i4",
    "uint": "u4",
    "unsigned int": "u4",
    "longlong": "i8",
    "long long": "i8",
    "long long int": "i8",
    "signed long long": "i8",
    "signed long long int": "i8",
    "ulonglong": "u8",
    "unsigned long long": "u8",
    "unsigned long long int": "u8",
    "float": "f4",
    "double": "f8",
}
SIZED_INTEGER = re.compile(r"(u?int(?:8|16|32|64))(?:_t)?")
BYTE_ORDERS = {"little": "<", "big": ">"}
RAS_SPACES = ("right-anterior-superior", "ras")
LAS_SPACES = ("left-anterior-superior", "las")


def read_nrrd(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the voxels (I, J, K) and their affine (4, 4) to mm, RAS+.

    Raises InputError without the path if the header or the data file cannot be used.
    """
    with path.open("rb") as file:
        fields = _read_fields(file)
        name = fields.get("datafile")
        if name is None:
            return _read_voxels(file, fields)
    with find_data_file(path, name).open("rb") as data:
        return _read_voxels(data, fields)


def name_data_file(path: Path) -> Path | None:
    """The file that a header names for its voxels; None if they follow the header.

    Raises InputError without the path if the header or the data file cannot be used.
    """
    with path.open("rb") as file:
        name = _read_fields(file).get("datafile")
    return None if name is None else find_data_file(path, name)


def _read_voxels(file: BinaryIO, fields: dict[str, str]) -> tuple[np.ndarray, np.ndarray]:
    """The voxels and their affine, from a file that stands where the voxels begin."""
    [dimension] = parse_integers("dimension", fields.get("dimension", ""), 1)
    shape = parse_integers("sizes", fields.get("sizes", ""), dimension)
    check_shape(shape)
    encoding = fields.get("encoding", "none").lower()
    if encoding not in IS_COMPRESSED:
        raise InputError(
            f"has the encoding {shown(encoding)}, expected one of {', '.join(IS_COMPRESSED)}"
        )
    dtype = _read_dtype(fields)
    affine = _read_affine(fields)
    [lines] = parse_integers("line skip", fields.get("lineskip", "0"), 1)
    [skipped] = parse_integers("byte skip", fields.get("byteskip", "0"), 1)
    if lines or (skipped and IS_COMPRESSED[encoding]):
        raise InputError(
            f"skips {lines} lines and {skipped} bytes, expected bytes, and only if raw"
        )
    skip_bytes(file, skipped, shape, dtype)
    return read_voxels(file, shape, dtype, IS_COMPRESSED[encoding]), affine


def _read_fields(file: BinaryIO) -> dict[str, str]:
    """The fields up to the empty line or the end, in lower case and without blanks in their names.

    Comments and key/value pairs, which have `:=`, are left out.
    """
    lines = read_lines(file)
    if not MAGIC.fullmatch(next(lines, "")):
        raise InputError("does not begin as NRRD does, it may be damaged")
    fields: dict[str, str] = {}
    for line in lines:
        if not line:
            break
        name, colon, value = line.partition(":")
        if line.startswith("#") or value.startswith("="):
            continue
        key = name.lower().replace(" ", "")
        if not colon or key in fields:
            raise InputError(
                f"has {shown(name)} in its header, expected each field once with a colon"
            )
        fields[key] = value.strip()
    return fields


def _read_dtype(fields: dict[str, str]) -> np.dtype:
    name = fields.get("type", "none").lower()
    sized = SIZED_INTEGER.fullmatch(name)
    if not sized and name not in DTYPES:
        raise InputError(f"has the type {shown(name)}, expected an integer, float or double")
    dtype = np.dtype(sized[1] if sized else DTYPES[name])
    if dtype.itemsize == 1:
        return dtype
    order = fields.get("endian", "none").lower()
    if order not in BYTE_ORDERS:
        raise InputError(f"has the endian {shown(order)}, expected one of {', '.join(BYTE_ORDERS)}")
    return np.dtype(f"{BYTE_ORDERS[order]}{dtype.kind}{dtype.itemsize}")


def _read_affine(fields: dict[str, str]) -> np.ndarray:
    """The affine (4, 4) to mm, RAS+; spaces other than RAS and LAS are taken for LPS, as ITK does.

    Without directions, the axes are those of the space, and the origin is 0.
    """
    if "axismins" in fields or "axismaxs" in fields:
        raise InputError("gives its position as axis mins or maxs, expected a space origin")
    affine = np.eye(4)
    if "spacedirections" in fields:
        vectors = VECTOR.findall(fields["spacedirections"])
        if len(vectors) != 3:
            raise InputError(f"has {len(vectors)} space directions, expected three")
        for axis, vector in enumerate(vectors):
            affine[:3, axis] = _parse_vector("space directions", vector)
    elif "spacings" in fields:
        affine[:3, :3] = np.diag(parse_numbers("spacings", fields["spacings"], 3))
    if "spaceorigin" in fields:
        affine[:3, 3] = _parse_vector("space origin", fields["spaceorigin"].strip("()"))
    space = fields.get("space", "").lower()
    if space in RAS_SPACES:
        return affine
    if space in LAS_SPACES:
        return np.diag([-1.0, 1, 1, 1]) @ affine
    return LPS_TO_RAS @ affine


def _parse_vector(key: str, text: str) -> np.ndarray:
    return parse_numbers(key, text.replace(",", " "), 3)
