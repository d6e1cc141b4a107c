"""Texts that identify patients, gathered from raw data, each with the place it comes from."""

import csv
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from graft.common.files import InputError
from graft.dicom import datasets
from graft.ingest.arrays import GROUPS_FILE
from graft.ingest.rows import MANIFEST
from graft.privacy.dicom_names import dicom_identifiers

# Shorter texts and numbers turn up by chance.
SHORTEST = 4  # characters
SHORTEST_BYTES = 6  # of a text in another alphabet, in UTF-8
SHORTEST_NUMBER = 6  # digits
OWN_COLUMNS = ("label",)  # of a manifest, whose cells graft writes


class Origin(NamedTuple):
    """What a text is, and where in the raw data it is: the number of a file, a line or a row."""

    kind: str
    file: str  # "" for a file of DICOM, whose name may be that of a person
    number: int  # from 1


@dataclass
class Identifiers:
    """What was gathered.

    Attributes:
        origins: the first place of each text.
        own_words: column names and labels of the manifest, which graft writes.
        left_out: how many texts are too short to be searched for.
        files: how many files of DICOM the raw data has, with others beside them.
    """

    origins: dict[str, Origin] = field(default_factory=dict)
    own_words: set[str] = field(default_factory=set)
    left_out: int = 0
    files: int = 0

    def add(self, text: str, origin: Origin) -> None:
        """Add a text in all its spellings."""
        text = text.strip()
        if not _is_long_enough(text):
            self.left_out += bool(text)
            return
        for spelling in _spellings(text, origin.kind):
            self.origins.setdefault(spelling, origin)


def gather_identifiers(raw: Path) -> Identifiers:
    """Collect what identifies patients in raw data.

    The sources are the patients of the manifest or of groups.npy, and every DICOM file.

    Raises InputError if the raw data is missing, or a table or a DICOM file cannot be read.
    """
    if not raw.exists():
        raise InputError(f"{raw}: is missing, expected a folder of raw data")
    found = Identifiers()
    _gather_manifest(raw / MANIFEST, found)
    _gather_groups(raw / GROUPS_FILE, found)
    files = list_raw_files(raw)
    found.files = len(files)
    for number, file in enumerate(files):
        with datasets.reading_dicom(datasets.numbered_name(raw, number, len(files))):
            texts = _dicom_texts(file)
        for text, keyword in texts:
            found.add(text, Origin(keyword, "", number + 1))
    return found


def list_raw_files(raw: Path) -> list[Path]:
    """The files of the raw data in the order in which they are numbered."""
    if not raw.is_dir() or not any(raw.iterdir()):
        return []
    return datasets.find_files(raw)


def _gather_manifest(table: Path, found: Identifiers) -> None:
    if not table.is_file():
        return
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            found.own_words.update(rows.fieldnames or ())
            for row in rows:
                for name, cell in row.items():
                    column = (name or "").strip()
                    if column == "patient":
                        origin = Origin(f"patient of {MANIFEST}", str(table), rows.line_num)
                        found.add(cell or "", origin)
                    elif column in OWN_COLUMNS:
                        found.own_words.add(cell or "")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{table}: cannot be read as a table in UTF-8 ({type(error).__name__})"
        ) from None


def _gather_groups(groups: Path, found: Identifiers) -> None:
    if not groups.is_file():
        return
    try:
        patients = np.load(groups, allow_pickle=False).ravel()
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{groups}: cannot be read as an array ({type(error).__name__})") from None
    for number, patient in enumerate(patients, start=1):
        found.add(str(patient), Origin(f"patient of {GROUPS_FILE}", str(groups), number))


def _dicom_texts(file: Path) -> list[tuple[str, str]]:
    if not datasets.begins_as_dicom(file):
        return []
    return list(dicom_identifiers(datasets.read_dataset(file, pixels=False)))


def _is_long_enough(text: str) -> bool:
    if text.isdecimal():
        return len(text) >= SHORTEST_NUMBER
    return len(text) >= SHORTEST or len(text.encode(errors="replace")) >= SHORTEST_BYTES


def _spellings(text: str, kind: str) -> Iterator[str]:
    """The ways a text may be written elsewhere: a name in other letters, a date with dashes.

    Programs also compose and decompose accents in different ways.
    """
    if len(text) == len("YYYYMMDD") and text.isdecimal():
        yield from (text, f"{text[:4]}-{text[4:6]}-{text[6:]}")
        return
    if text.isascii() and "Name" not in kind and "atient" not in kind:
        yield text
        return
    for form in (text, *(unicodedata.normalize(name, text) for name in ("NFC", "NFD"))):
        yield from (form, form.upper(), form.lower(), form.title())
