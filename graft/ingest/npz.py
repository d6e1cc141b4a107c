"""Arrays of .npz archives and .npy files, compared with their size before memory is used."""

import math
import os
import zipfile
from pathlib import Path
from typing import IO

import numpy as np

from graft.common.files import InputError, check_regular_file
from graft.common.links import check_file_inside
from graft.common.shown import last_line
from graft.volumes.voxel_data import MAX_COMPRESSION

COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # those that NumPy writes


def read_npz(path: Path, names: list[str]) -> dict[str, np.ndarray]:
    """Read some arrays of an archive.

    Raises InputError if one is missing, damaged or pickled, or if together they would inflate to
    more than the archive can hold or the memory of this machine.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            known = set(archive.namelist())
            missing = [name for name in names if f"{name}.npy" not in known]
            if missing:
                raise InputError(f"has no {missing[0]}, expected the arrays {', '.join(names)}")
            check_memory(sum(_claimed_bytes(archive, name) for name in names))
            return {name: _read_member(archive, name) for name in names}
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except Exception as error:  # a damaged archive makes its reader raise anything
        raise InputError(
            f"{path}: cannot be read as arrays without pickle ({last_line(error)})"
        ) from error


def list_arrays(path: Path) -> list[str]:
    """The names of the arrays of an archive, sorted.

    Raises InputError if it cannot be read.
    """
    check_regular_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except Exception as error:  # a damaged archive makes its reader raise anything
        raise InputError(
            f"{path}: cannot be read as arrays without pickle ({last_line(error)})"
        ) from error
    return sorted(name.removesuffix(".npy") for name in names if name.endswith(".npy"))


def map_npy(path: Path) -> np.ndarray:
    """Map a .npy file into memory.

    Raises InputError if it is missing, leaves its folder by a link, is damaged, pickled, or shorter
    than its header claims.
    """
    check_file_inside(path, path.parent)
    try:
        with path.open("rb") as file:
            claimed = count_claimed(file)
            available = path.stat().st_size - file.tell()
        if claimed > available:
            raise InputError(f"is cut short, has {available} bytes, expected {claimed}")
        return np.lib.format.open_memmap(path, mode="r")
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except Exception as error:  # a damaged file makes its reader raise anything
        raise InputError(
            f"{path}: cannot be read as an array ({last_line(error)}), "
            "expected a whole .npy file without pickle"
        ) from error


def check_memory(needed: int) -> None:
    """Raise InputError, without a path, if this machine has less memory than these bytes."""
    available = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > available:
        raise InputError(
            f"needs {needed} bytes, expected at most {available}, the memory of this machine"
        )


def count_claimed(file: IO[bytes]) -> int:
    """Read the header of a .npy file, and return the bytes that it claims for the array after it.

    Raises InputError without the path, and any exception if the header is damaged.
    """
    version = np.lib.format.read_magic(file)
    if version != (1, 0):  # others may have headers of any length, for records with many fields
        raise InputError(f"is a .npy of version {version}, expected (1, 0)")
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.hasobject:
        raise InputError("contains pickled objects, expected numbers or text")
    if min(shape, default=0) < 0:
        raise InputError(f"claims the shape {shape}, expected no negative number")
    return math.prod(shape) * dtype.itemsize


def _claimed_bytes(archive: zipfile.ZipFile, name: str) -> int:
    """The bytes of an array as its header claims them; raises InputError if they are not there."""
    member = archive.getinfo(f"{name}.npy")
    if member.compress_type not in COMPRESSIONS:
        raise InputError(f"{name} is compressed in another way, expected deflate or nothing")
    with archive.open(member) as file:
        try:
            claimed = count_claimed(file)
        except InputError as error:
            raise InputError(f"{name} {error}") from error
        available = member.file_size - file.tell()
    if claimed != available:
        raise InputError(f"{name} claims {claimed} bytes, expected {available} as in the archive")
    if member.file_size > member.compress_size * MAX_COMPRESSION:
        raise InputError(
            f"{name} claims {claimed} bytes, too many for its {member.compress_size} bytes "
            "in the archive"
        )
    return claimed


def _read_member(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(f"{name}.npy") as file:
        return np.lib.format.read_array(file, allow_pickle=False)
