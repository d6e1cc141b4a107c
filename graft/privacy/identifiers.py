"""Searches outputs for identifiers of patients: `python -m graft.privacy.identifiers --help`.

The identifiers come from the raw data. They are searched for as bytes, in every file of the
outputs.
"""

import csv
import gzip
import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Protocol

import numpy as np
import typer

from graft.common.files import InputError
from graft.console import run, say
from graft.dicom import datasets
from graft.ingest.arrays import GROUPS_FILE
from graft.ingest.rows import MANIFEST
from graft.privacy.dicom_names import dicom_identifiers
from graft.privacy.search import TextSearch

SHORTEST = 4  # characters: shorter texts turn up by chance
READ_AT_ONCE = 1 << 24  # bytes
UNPACKING_ERRORS = (
    OSError,
    EOFError,
    zlib.error,
    zipfile.BadZipFile,
    RuntimeError,
    NotImplementedError,
)


class ReadableBytes(Protocol):
    """A file that is open for reading bytes."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, none at the end."""


RawArgument = Annotated[
    Path, typer.Argument(help="The raw data of a domain, which the identifiers come from.")
]
OutputsArgument = Annotated[
    list[Path],
    typer.Argument(help="Files and folders to search: everything that a run writes."),
]


def main(raw: RawArgument, outputs: OutputsArgument) -> None:
    """Search outputs for anything that identifies a patient of the raw data.

    Prints a line for each file and kind of identifier found there, never the identifier itself,
    and exits with status 1. Otherwise it prints one line with what it searched.
    """
    search = TextSearch(gather_identifiers(raw))
    for output in outputs:
        if not output.exists():
            raise InputError(f"{output}: is missing, expected a file or folder to search")
    findings = []
    count = 0
    for output in outputs:
        for file in _list_files(output):
            findings += search_file(output, file, search)
            count += 1
    for finding in findings:
        say(finding)
    if findings:
        sys.exit(1)
    searched = ", ".join(map(str, outputs))
    say(f"{raw}: none of its {search.count} identifiers is in the {count} files of {searched}")


def gather_identifiers(raw: Path) -> dict[str, str]:
    """Collect what identifies patients in raw data, each text with its kind.

    The sources are the patients of the manifest or of groups.npy, and every DICOM file.

    Raises InputError if the raw data is missing, or a table or a DICOM file cannot be read.
    """
    if not raw.exists():
        raise InputError(f"{raw}: is missing, expected a folder of raw data")
    found: dict[str, str] = {}
    for gather in (_manifest_patients, _array_patients, _dicom_texts):
        for text, kind in gather(raw):
            for spelling in _spellings(text.strip(), kind):
                if len(spelling) >= SHORTEST:
                    found.setdefault(spelling, kind)
    return found


def search_file(root: Path, file: Path, search: TextSearch) -> list[str]:
    """A line for each kind of identifier in the content or the name of a file of `root`."""
    name = file.name if file == root else str(file.relative_to(root))
    in_name = search.find_kinds(name.encode())
    in_content: set[str] = set()
    for piece in _read_contents(file):
        in_content |= search.find_kinds(piece)
    shown = f"{root}: a file that cannot be named here" if in_name else str(file)
    lines = [f"{shown}: has a {kind} in its name" for kind in sorted(in_name)]
    return lines + [f"{shown}: contains a {kind}" for kind in sorted(in_content)]


def _list_files(output: Path) -> list[Path]:
    return [path for path in sorted((output, *output.rglob("*"))) if path.is_file()]


def _manifest_patients(raw: Path) -> Iterator[tuple[str, str]]:
    table = raw / MANIFEST
    if not table.is_file():
        return
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                for name, cell in row.items():
                    if name and name.strip() == "patient":
                        yield cell or "", f"patient of {MANIFEST}"
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{table}: cannot be read as a table in UTF-8 ({type(error).__name__})"
        ) from None


def _array_patients(raw: Path) -> Iterator[tuple[str, str]]:
    groups = raw / GROUPS_FILE
    if not groups.is_file():
        return
    try:
        patients = np.load(groups, allow_pickle=False).ravel()
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{groups}: cannot be read as an array ({type(error).__name__})") from None
    for patient in patients:
        yield str(patient), f"patient of {GROUPS_FILE}"


def _dicom_texts(raw: Path) -> Iterator[tuple[str, str]]:
    if not raw.is_dir() or not any(raw.iterdir()):
        return
    files = datasets.find_files(raw)
    for number, file in enumerate(files):
        with datasets.reading_dicom(datasets.numbered_name(raw, number, len(files))):
            if datasets.begins_as_dicom(file):
                texts = list(dicom_identifiers(datasets.read_dataset(file, pixels=False)))
            else:
                texts = []
        yield from texts


def _spellings(text: str, kind: str) -> set[str]:
    """The ways a text may be written elsewhere: a name in other letters, a date with dashes."""
    if len(text) == len("YYYYMMDD") and text.isdecimal():
        return {text, f"{text[:4]}-{text[4:6]}-{text[6:]}"}
    if "Name" in kind or "atient" in kind:
        return {text, text.upper(), text.lower(), text.title()}
    return {text}


def _read_contents(file: Path) -> Iterator[bytes]:
    """The bytes of a file in overlapping pieces, then those that a .gz or .zip unpacks to."""
    with file.open("rb") as plain:
        yield from _read_pieces(plain)
    try:
        if file.suffix == ".gz":
            with gzip.open(file) as unpacked:
                yield from _read_pieces(unpacked)
        elif zipfile.is_zipfile(file):  # .npz too
            with zipfile.ZipFile(file) as archive:
                for name in archive.namelist():
                    with archive.open(name) as member:
                        yield from _read_pieces(member)
    except UNPACKING_ERRORS as error:
        raise InputError(
            f"{file}: cannot be unpacked to search it ({type(error).__name__})"
        ) from None


def _read_pieces(file: ReadableBytes) -> Iterator[bytes]:
    overlap = b""
    while piece := file.read(READ_AT_ONCE):
        content = overlap + piece
        yield content
        overlap = content[-TextSearch.MAX_BYTES :]


if __name__ == "__main__":
    run(main)
