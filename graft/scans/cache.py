"""A cache of what was cut from each scan, so that a scan is read once.

Its key is everything that decides the result: the content of the scan and of the masks, the places
of the lesions, the parameters, the code and the libraries. A run that was killed resumes with the
scans that are missing. An entry holds patches, which are data of patients, and no name or number of
a person: see `Scan`.
"""

import hashlib
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from graft.common.checked_file import read_checked, write_checked
from graft.common.code import code_digest, library_versions
from graft.console import say
from graft.scans.identity import Scan
from graft.scans.lesion import LesionRow

# The packages and the libraries that decide a result.
CODE = ("common", "data", "dicom", "duplicates", "grids", "scans", "volumes")
LIBRARIES = (
    "highdicom",
    "imagehash",
    "nibabel",
    "numpy",
    "pillow",
    "pydicom",
    "pylibjpeg",
    "pylibjpeg-libjpeg",
    "pylibjpeg-openjpeg",
    "scipy",
)
SUFFIX = ".scan"
KNOWN_FILES = "files.json"
KEPT = 2  # times the space of the entries in use, for those of other parameters
DIGITS = 24  # hexadecimal, of the name of an entry


@dataclass(frozen=True)
class LesionFacts:
    """What is known of a lesion beside its patch."""

    diameter: float | None  # mm, of its mask
    above_floor: int  # voxels of the patch above the window's floor
    fingerprint: str  # of the patch
    has_mask: bool
    spacing: tuple[float, float, float]  # mm per voxel of its scan along R, A, S


@dataclass(frozen=True)
class Entry:
    """What was cut from one scan: patches (n, C, *patch) float16 and masks (n, *patch) uint8.

    The masks are None if no lesion of the scan has one.
    """

    scan: Scan
    lesions: list[LesionFacts]
    patches: np.ndarray
    masks: np.ndarray | None


def digest_code() -> str:
    """A digest of the code and the libraries that decide an entry."""
    return _digest([code_digest(CODE), library_versions(LIBRARIES)])


def entry_name(content: str, lesions: Sequence[LesionRow], recipe: Mapping[str, object]) -> str:
    """The name of an entry.

    Args:
        content: the digest of the files of the scan and of the masks.
        lesions: of the scan.
        recipe: everything else that decides the entry, as plain JSON values.
    """
    places = [[lesion.position, lesion.frame, lesion.segment] for lesion in lesions]
    paths = [lesions[0].image, *(lesion.mask for lesion in lesions)]
    folders = [path is not None and path.is_dir() for path in paths]  # which are read as DICOM
    key = [content, folders, lesions[0].series, places, recipe]
    name = _digest(key)[:DIGITS] + SUFFIX
    return f"{name[:2]}/{name}"  # folders stay small: to write a file takes a look at its folder


def read_entry(path: Path) -> Entry | None:
    """Read an entry; None if there is none, or if it is damaged, which a line says."""
    entry = read_checked(path, _unpack, lambda fault: say(f"{fault}; this scan is read again"))
    if entry is not None:
        with suppress(OSError):  # another run may have deleted it
            os.utime(path)  # it was used
    return entry


def write_entry(path: Path, entry: Entry) -> None:
    """Write an entry, completely or not at all."""
    about = {
        "scan": asdict(entry.scan),
        "lesions": [asdict(lesion) for lesion in entry.lesions],
        "shape": entry.patches.shape,
    }
    masks = b"" if entry.masks is None else entry.masks.tobytes()
    write_checked(path, json.dumps(about).encode() + b"\n" + entry.patches.tobytes() + masks)


def read_known_files(folder: Path) -> dict[str, str]:
    """The digest of the content of files by the name of their state."""
    return read_checked(folder / KNOWN_FILES, json.loads, say) or {}


def write_known_files(folder: Path, known: Mapping[str, str]) -> None:
    """Write what `read_known_files` reads."""
    write_checked(folder / KNOWN_FILES, json.dumps(known).encode())


def prune(folder: Path, used: Iterable[str]) -> None:
    """Delete the entries of earlier runs that were not used for longest.

    Those that remain take at most KEPT times the space of the used ones: changing a parameter back
    and forth costs no reading, and the cache does not grow for ever.
    """
    names = set(used)
    space = 0
    others = []
    for path in folder.glob(f"*/*{SUFFIX}"):
        found = path.lstat()
        if path.relative_to(folder).as_posix() in names:
            space += KEPT * found.st_size
        else:
            others.append((found.st_mtime_ns, found.st_size, path))
    for _, size, path in sorted(others, reverse=True):
        space -= size
        if space < 0:
            path.unlink(missing_ok=True)


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _unpack(payload: bytes) -> Entry:
    line, _, arrays = payload.partition(b"\n")
    about = json.loads(line)
    count, _, *size = shape = about["shape"]
    patches = np.frombuffer(arrays, np.float16, math.prod(shape)).reshape(shape)
    masks = np.frombuffer(arrays[patches.nbytes :], np.uint8)
    lesions = [LesionFacts(**lesion) for lesion in about["lesions"]]
    return Entry(
        scan=Scan(**about["scan"]),
        lesions=lesions,
        patches=patches,
        masks=masks.reshape(count, *size) if len(masks) else None,
    )
