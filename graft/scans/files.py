"""The files of a scan and of the masks of its lesions: what is in them, and whether they changed.

Their content decides what is cut from them. As reading it takes time in a large archive, the stage
remembers the content of files that have the same size, inode and times as before, as DVC does.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from graft.common.files import InputError
from graft.scans.keyed import keyed_digest
from graft.scans.lesion import LesionRow
from graft.volumes.volume_files import list_files

SETTLED_S = 2.0  # times of files are this exact everywhere


@dataclass(frozen=True)
class FileState:
    """The state of the files of a scan and of the masks of its lesions.

    Attributes:
        name: a keyed digest, because the names of files may be those of patients.
        size: bytes of the scan.
        is_settled: whether the name changes with the content. It need not if a file was written in
            the last seconds.
    """

    name: str
    size: int
    is_settled: bool


def list_scan_files(lesions: Sequence[LesionRow]) -> list[list[Path]]:
    """The files of the scan of some lesions, then those of the mask of each lesion.

    Raises InputError if some are missing or not regular files.
    """
    masks = [[] if lesion.mask is None else list_files(lesion.mask) for lesion in lesions]
    return [list_files(lesions[0].image), *masks]


def measure_files(groups: list[list[Path]], secret: str) -> FileState:
    """Look at the size and the times of files, without reading them.

    Raises InputError if that fails.
    """
    states = []
    newest = size = 0
    for number, group in enumerate(groups):
        for place, path in enumerate(group):
            with _reading(place, group):
                found = path.stat()
            times = (found.st_mtime_ns, found.st_ctime_ns)
            states.append([number, os.fspath(path), found.st_size, found.st_ino, *times])
            newest = max(newest, *times)
            size += found.st_size if number == 0 else 0
    return FileState(
        name=keyed_digest(f"files {json.dumps(states)}", secret),
        size=size,
        is_settled=newest <= time.time_ns() - SETTLED_S * 1e9,
    )


def digest_files(groups: list[list[Path]]) -> str:
    """SHA-256 of the content of files, in hexadecimal. Only the suffixes of their names count.

    Raises InputError if a file cannot be read.
    """
    known: dict[Path, str] = {}
    contents = []
    for group in groups:
        for place, path in enumerate(group):
            if path not in known:
                with _reading(place, group), path.open("rb") as file:
                    known[path] = hashlib.file_digest(file, "sha256").hexdigest()
        contents.append([[_kind(path), known[path]] for path in group])
    return hashlib.sha256(json.dumps(contents).encode()).hexdigest()


@contextmanager
def _reading(place: int, group: list[Path]) -> Iterator[None]:
    """Turn an OSError into an InputError. The name of one file of several may be a person's."""
    try:
        yield
    except OSError as error:
        name = f"{group[0]}:"
        if len(group) > 1:
            name = f"{group[0].parent}: file {place + 1} of {len(group)}, sorted by name,"
        raise InputError(f"{name} cannot be read ({error.strerror}), expected a file") from None


def _kind(path: Path) -> str:
    """The suffix that chooses the reader."""
    name = path.name.lower()
    return ".nii.gz" if name.endswith(".nii.gz") else path.suffix.lower()
