"""Arrays of an .npz archive, checked against its size before memory is reserved for them."""

import math
import os
import zipfile
from pathlib import Path

import numpy as np

from graft.common.files import InputError
from graft.ingest.voxel_data import MAX_COMPRESSION

COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # those that NumPy writes
# By the version of the format (numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
HEADER_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


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
        reason = (str(error).strip() or type(error).__name__).splitlines()[-1].strip()
        raise InputError(f"{path}: cannot be read as arrays without pickle ({reason})") from error


def check_memory(needed: int) -> None:
    """Raise InputError, without a path, if this machine has less memory than these bytes."""
    available = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > available:
        raise InputError(
            f"needs {needed} bytes, expected at most {available}, the memory of this machine"
        )


def _claimed_bytes(archive: zipfile.ZipFile, name: str) -> int:
    """The bytes of an array as its header claims them; raises InputError if they are not there."""
    member = archive.getinfo(f"{name}.npy")
    if member.compress_type not in COMPRESSIONS:
        raise InputError(f"has {name} compressed in another way, expected deflate or nothing")
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        if version not in HEADER_READERS:
            raise InputError(f"has {name} in version {version} of .npy, expected (1, 0) or (2, 0)")
        shape, _, dtype = HEADER_READERS[version](file)
        header = file.tell()
    if dtype.hasobject:
        raise InputError(f"has {name} with pickled Python objects, expected numbers or text")
    claimed = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or header + claimed != member.file_size:
        raise InputError(
            f"has {name} of {shape}, {claimed} bytes, expected {member.file_size - header} "
            "as the archive says"
        )
    if member.file_size > member.compress_size * MAX_COMPRESSION:
        raise InputError(
            f"has {name} with {claimed} bytes, too many for its {member.compress_size} bytes "
            "in the archive"
        )
    return claimed


def _read_member(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(f"{name}.npy") as file:
        return np.lib.format.read_array(file, allow_pickle=False)
