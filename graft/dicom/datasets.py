"""DICOM files: found in a folder, told from what else lies there, and parsed with nothing that they hold shown."""

import logging
import os
import re
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from graft.common.files import InputError
from graft.console import silence

if TYPE_CHECKING:
    from pydicom import Dataset

MAGIC_AT = 128  # bytes before the letters DICM
HEADERLESS = (
    b"\x08\x00",
    b"\x02\x00",
    b"\x00\x08",
)  # the first group of a data set that was written without them
LARGEST = 1 << 31  # bytes of one file, and of what a deflated one holds
LOGGERS = ("pydicom", "pylibjpeg", "libjpeg", "openjpeg", "highdicom")
DIRECTORY = "1.2.840.10008.1.3.10"  # the SOP class of a DICOMDIR
NAMED_AS_DICOM = re.compile(r"(|\.dcm|\.dicom|\.ima|\.\d+)", re.IGNORECASE)  # suffixes


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Whatever is raised within becomes an InputError that starts with `what` and quotes nothing of the data.

    Readers put names and UIDs in their errors, warnings and lines on standard error: none of them passes.
    """
    for name in LOGGERS:
        logging.getLogger(name).propagate = False
    try:
        with warnings.catch_warnings(), silence():
            warnings.simplefilter("ignore")
            yield
    except InputError as error:
        raise InputError(f"{what} {error}") from None
    except Exception as error:  # damaged data makes its reader raise anything
        raise InputError(
            f"{what} cannot be read, it may be cut short or damaged ({type(error).__name__})"
        ) from None


def find(path: Path) -> list[Path]:
    """The file at `path`, or those in the folder and in its folders, in the order of their names.

    Hidden files, directories of a disc (DICOMDIR) and all that is no regular file are left out.

    Raises InputError where a link leads out of the folder or to another, or there is nothing.
    """
    if not path.is_dir():
        return [path]
    found = []
    for folder, folders, names in os.walk(path):
        if any(Path(folder, name).is_symlink() for name in folders):
            raise InputError(f"{path}: holds a link to a folder, expected files and folders")
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            Path(folder, name)
            for name in names
            if not name.startswith(".") and name.upper() != "DICOMDIR"
        ]
    found = sorted(file for file in found if file.is_file())
    inside = path.resolve()
    if any(file.is_symlink() and not file.resolve().is_relative_to(inside) for file in found):
        raise InputError(f"{path}: holds a link that leaves it, expected files inside the folder")
    if not found:
        raise InputError(f"{path}: holds no files, expected a DICOM series")
    return found


def called(path: Path, number: int, count: int) -> str:
    """How errors name a file of a folder, as its own name may be a person's."""
    return f"{path}: file {number + 1} of {count}, in the order of their names,"


def begins_as_dicom(path: Path) -> bool:
    """Whether a file holds DICOM, by its first bytes."""
    start = _start(path)
    return start[MAGIC_AT : MAGIC_AT + 4] == b"DICM" or start[:2] in HEADERLESS


def is_dicom(path: Path) -> bool:
    """Whether a file holds DICOM, by its first bytes.

    Raises InputError where it is named as DICOM is, holds more than text, and yet does not begin as DICOM does.
    """
    if begins_as_dicom(path):
        return True
    start = _start(path)
    if NAMED_AS_DICOM.fullmatch(path.suffix) and not _is_text(start):
        raise InputError(
            "does not begin as DICOM does, it may be damaged; expected DICOM under such a name"
        )
    return False


def parse(path: Path, pixels: bool) -> "Dataset":
    """The data set of a file, with or without its pixels.

    Raises InputError where the file is larger than LARGEST, and anything where it is damaged: mind `reading`.
    """
    from pydicom import dcmread

    if path.stat().st_size > LARGEST:
        raise InputError(f"holds {path.stat().st_size} bytes, expected at most {LARGEST}")
    content = path.read_bytes()
    _check_deflated(content)
    return dcmread(BytesIO(content), force=True, stop_before_pixels=not pixels)


def numbers(dataset: "Dataset", name: str, count: int) -> np.ndarray:
    """The `count` numbers of an element; raises InputError where it is missing or holds other things."""
    value = dataset.get(name)
    if value is None or value == "":
        raise InputError(f"has no {name}")
    try:
        found = np.atleast_1d(np.array(value, dtype=float))
    except (TypeError, ValueError):
        found = np.empty(0)
    if found.shape != (count,) or not np.isfinite(found).all():
        raise InputError(f"has a {name} that is not {count} finite number{'s' * (count > 1)}")
    return found


def whole(dataset: "Dataset", name: str) -> int:
    """The whole number of an element; raises InputError where it is missing or another thing."""
    number = numbers(dataset, name, 1)[0]
    if number != int(number):
        raise InputError(f"has a {name} that is not a whole number")
    return int(number)


def word(dataset: "Dataset", name: str) -> str:
    """The code word of an element, '' where it is missing; what is no code word is not passed on."""
    value = dataset.get(name)
    text = "" if value is None else str(value).strip()
    return text if re.fullmatch(r"[A-Z0-9_ ]{0,16}", text) else "not a code word"


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(512)


def _is_text(start: bytes) -> bool:
    return bool(start) and b"\0" not in start and not re.search(rb"[\x01-\x08\x0e-\x1f]", start)


def _check_deflated(content: bytes) -> None:
    """Refuse a deflated data set that would fill the memory."""
    from pydicom.filereader import _read_file_meta_info, read_preamble
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    if str(DeflatedExplicitVRLittleEndian).encode() not in content[: 1 << 12]:
        return
    file = BytesIO(content)
    read_preamble(file, force=True)
    if _read_file_meta_info(file).get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    rest, length = file.read(), 0
    while rest and not inflate.eof:
        length += len(inflate.decompress(rest, 1 << 24))
        rest = inflate.unconsumed_tail
        if length > LARGEST:
            raise InputError(
                f"is deflated and holds more than {LARGEST} bytes, expected at most these"
            )
