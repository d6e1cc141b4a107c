"""Does anything that graft wrote name a patient? `python -m graft.privacy.identifiers data/raw/lung [data/processed ...]`.

Gathers what identifies patients in the raw data, and looks for it in every file of the outputs, as bytes.
"""

import csv
import gzip
import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from graft.common.files import InputError
from graft.console import run, say
from graft.ingest.arrays import GROUPS
from graft.ingest.rows import FILE
from graft.privacy.search import Needles

OUTPUTS = ("data/processed", "data/splits", "models", "metrics", ".graft", "dvc.lock")
SHORTEST = 4  # characters: shorter ones turn up by chance
WINDOW = 1 << 24  # bytes read at once


def main(raw: str, *outputs: str) -> None:
    """Print a line for each file and kind of identifier that is found there, or one that says that there is none.

    Ends with status 1 where one is found. The identifiers themselves are never printed.
    """
    needles = Needles(gather(Path(raw)))
    missing = [output for output in outputs if not Path(output).exists()]
    if missing:
        raise InputError(f"{missing[0]}: is missing, expected a file or folder to look into")
    roots = [Path(output) for output in outputs or OUTPUTS if Path(output).exists()]
    files = [
        (root, file)
        for root in roots
        for file in sorted((root, *root.rglob("*")))
        if file.is_file()
    ]
    found = [line for root, file in files for line in findings(root, file, needles)]
    for line in found:
        say(line)
    if found:
        sys.exit(1)
    looked = ", ".join(map(str, roots)) or "no output"
    say(f"{raw}: none of its {needles.count} identifiers is in the {len(files)} files of {looked}")


def gather(raw: Path) -> dict[str, str]:
    """What identifies patients, with its kind: of the manifest or groups.npy, and of every DICOM file in the folder.

    Raises InputError where the raw data is missing, or a table or a DICOM file cannot be read.
    """
    if not raw.exists():
        raise InputError(f"{raw}: is missing, expected a folder of raw data")
    found: dict[str, str] = {}
    for text, kind in (*_of_tables(raw), *_of_dicom(raw)):
        for spelt in _spellings(text.strip(), kind):
            if len(spelt) >= SHORTEST:
                found.setdefault(spelt, kind)
    return found


def findings(root: Path, file: Path, needles: Needles) -> Iterator[str]:
    """A line for each kind of identifier in the bytes of a file of `root`, in what they unpack to, or in its name."""
    name = file.name if file == root else str(file.relative_to(root))
    named = needles.kinds(name.encode())
    shown = f"{root}: a file that cannot be named here" if named else str(file)
    held = set().union(*map(needles.kinds, _contents(file)))
    yield from (f"{shown}: has a {kind} in its name" for kind in sorted(named))
    yield from (f"{shown}: holds a {kind}" for kind in sorted(held))


def _of_tables(raw: Path) -> Iterator[tuple[str, str]]:
    table, groups = raw / FILE, raw / GROUPS
    if table.is_file():
        try:
            with table.open(encoding="utf-8-sig", newline="") as file:
                rows = [
                    {name.strip(): cell for name, cell in row.items() if name}
                    for row in csv.DictReader(file)
                ]
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise InputError(
                f"{table}: cannot be read as a table in UTF-8 ({type(error).__name__})"
            ) from None
        yield from ((str(row.get("patient") or "").strip(), f"patient of {FILE}") for row in rows)
    if groups.is_file():
        try:
            yield from (
                (str(name), f"patient of {GROUPS}")
                for name in np.load(groups, allow_pickle=False).ravel()
            )
        except (OSError, ValueError, EOFError) as error:
            raise InputError(
                f"{groups}: cannot be read as an array ({type(error).__name__})"
            ) from None


def _of_dicom(raw: Path) -> Iterator[tuple[str, str]]:
    if not raw.is_dir() or not any(raw.iterdir()):
        return
    from graft.dicom import datasets
    from graft.privacy import dicom_names

    files = datasets.find(raw)
    for number, file in enumerate(files):
        with datasets.reading(datasets.called(raw, number, len(files))):
            if datasets.begins_as_dicom(file):
                yield from dicom_names.identifiers(datasets.parse(file, pixels=False))


def _spellings(text: str, kind: str) -> set[str]:
    """A text as it may be written again: a name in other letters, a date with dashes."""
    if len(text) == len("YYYYMMDD") and text.isdecimal():
        return {text, f"{text[:4]}-{text[4:6]}-{text[6:]}"}
    return (
        {text, text.upper(), text.lower(), text.title()}
        if "Name" in kind or "atient" in kind
        else {text}
    )


def _contents(file: Path) -> Iterator[bytes]:
    """The bytes of a file in pieces that overlap, then those that a .gz or .npz (or other .zip) unpacks to."""
    with file.open("rb") as plain:
        yield from _pieces(plain)
    try:
        if file.suffix == ".gz":
            with gzip.open(file) as unpacked:
                yield from _pieces(unpacked)
        elif zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as packed:
                for name in packed.namelist():
                    with packed.open(name) as unpacked:
                        yield from _pieces(unpacked)
    except (
        OSError,
        EOFError,
        zlib.error,
        zipfile.BadZipFile,
        RuntimeError,
        NotImplementedError,
    ) as error:
        raise InputError(
            f"{file}: cannot be unpacked to look into it ({type(error).__name__})"
        ) from None


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    kept = b""
    while piece := file.read(WINDOW):
        yield kept + piece
        kept = (kept + piece)[-Needles.LONGEST :]


if __name__ == "__main__":
    run(main)
