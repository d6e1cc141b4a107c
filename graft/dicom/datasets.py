"""DICOM files: found in a folder, recognised, and parsed without printing their data."""

import os
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from graft.common.files import InputError
from graft.dicom.quiet import quiet_readers

if TYPE_CHECKING:
    from pydicom import Dataset

MAGIC_OFFSET = 128  # bytes before the letters DICM
# The first group of a data set that was written without these letters: 0008 or 0002.
HEADERLESS_STARTS = (b"\x08\x00", b"\x02\x00", b"\x00\x08")
START_BYTES = 512  # read to recognise a file
MAX_BYTES = 1 << 31  # of one file, and of the content of a deflated one
INFLATED_AT_ONCE = 1 << 24  # bytes
LOGGERS = ("pydicom", "pylibjpeg", "libjpeg", "openjpeg", "highdicom")
DICOMDIR_UID = "1.2.840.10008.1.3.10"
DICOM_SUFFIX = re.compile(r"(|\.dcm|\.dicom|\.ima|\.\d+)", re.IGNORECASE)
CONTROL_CHARACTERS = re.compile(rb"[\x01-\x08\x0e-\x1f]")


@contextmanager
def reading_dicom(what: str) -> Iterator[None]:
    """Turn every exception of the block into an InputError that starts with `what`.

    Readers put names and UIDs into their exceptions, warnings and log records. None of them leaves
    the block: an unexpected exception is reported by its type only.
    """
    try:
        with quiet_readers(*LOGGERS):
            yield
    except InputError as error:
        raise InputError(f"{what} {error}") from None
    except Exception as error:  # damaged data makes its reader raise anything
        raise InputError(
            f"{what} cannot be read, it may be cut short or damaged ({type(error).__name__})"
        ) from None


def find_files(path: Path) -> list[Path]:
    """List the file at `path`, or the files in this folder and its subfolders, sorted by name.

    Hidden files, the directory of a disc (DICOMDIR) and special files are left out.

    Raises InputError if there are no files, if a link leaves the folder, or if a link is a folder.
    """
    if not path.is_dir():
        return [path]
    found = []
    for folder, subfolders, names in os.walk(path):
        if any(Path(folder, name).is_symlink() for name in subfolders):
            raise InputError(f"{path}: contains a link to a folder, expected files and folders")
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        for name in names:
            file = Path(folder, name)
            if name.startswith(".") or name.upper() == "DICOMDIR":
                continue
            if not file.is_file():  # without this slice, the others would make another volume
                raise InputError(f"{path}: contains a pipe or a dead link, expected files")
            found.append(file)
    inside = path.resolve()
    for file in found:
        if file.is_symlink() and not file.resolve().is_relative_to(inside):
            raise InputError(
                f"{path}: contains a link that leaves it, expected files inside the folder"
            )
    if not found:
        raise InputError(f"{path}: contains no files, expected a DICOM series")
    return sorted(found)


def numbered_name(folder: Path, number: int, count: int) -> str:
    """Name a file of a folder in errors by its number, because its own name may be a person's."""
    return f"{folder}: file {number + 1} of {count}, sorted by name,"


def begins_as_dicom(path: Path) -> bool:
    """Whether the first bytes of a file are those of DICOM."""
    start = _read_start(path)
    has_magic = start[MAGIC_OFFSET : MAGIC_OFFSET + 4] == b"DICM"
    return has_magic or start[:2] in HEADERLESS_STARTS


def is_dicom(path: Path) -> bool:
    """Whether the first bytes of a file are those of DICOM.

    Raises InputError if they are not, although the file is named like DICOM and is not text.
    """
    if begins_as_dicom(path):
        return True
    if DICOM_SUFFIX.fullmatch(path.suffix) and not _is_text(_read_start(path)):
        raise InputError(
            "does not begin as DICOM does, it may be damaged; expected DICOM under such a name"
        )
    return False


def read_dataset(path: Path, pixels: bool) -> "Dataset":
    """Parse the data set of a file, with or without its pixels; call it within `reading_dicom`.

    Raises InputError if the file has more than MAX_BYTES, and any exception if it is damaged.
    """
    from pydicom import dcmread

    size = path.stat().st_size
    if size > MAX_BYTES:
        raise InputError(f"has {size} bytes, expected at most {MAX_BYTES}")
    with path.open("rb") as file:
        content = file.read(size)
    _check_deflated_size(content)
    return dcmread(BytesIO(content), force=True, stop_before_pixels=not pixels)


def _read_start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(START_BYTES)


def _is_text(start: bytes) -> bool:
    return bool(start) and b"\0" not in start and not CONTROL_CHARACTERS.search(start)


def _check_deflated_size(content: bytes) -> None:
    """Raise InputError if a deflated data set would fill the memory."""
    from pydicom.filereader import _read_file_meta_info, read_preamble
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    if str(DeflatedExplicitVRLittleEndian).encode() not in content[: 1 << 12]:
        return
    file = BytesIO(content)
    read_preamble(file, force=True)
    if _read_file_meta_info(file).get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    rest = file.read()
    length = 0
    while rest and not inflate.eof:
        length += len(inflate.decompress(rest, INFLATED_AT_ONCE))
        rest = inflate.unconsumed_tail
        if length > MAX_BYTES:
            raise InputError(f"inflates to more than {MAX_BYTES} bytes, expected at most these")
