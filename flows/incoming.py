"""Scans that wait in a folder or a bucket: the lesions of a manifest, or pictures.

Whatever names the source uses stay in this module. A scan gets the name of its content: the SHA-256
of its file, or of the sorted SHA-256 of the files in its folder.
"""

import csv
import hashlib
import io
import json
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import fsspec
from fsspec.implementations.local import LocalFileSystem

from graft.common.files import InputError, sha256

MANIFEST = "manifest.csv"
PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
DETACHED = (".mhd", ".nhdr")  # headers that name another file
SUFFIX = re.compile(r"(\.nii)?\.[a-z0-9]{1,5}$")
OUTSIDE = "the image or mask is no path inside the folder"
SHORT = 20  # digits of a digest in the name of a copy


@dataclass(frozen=True)
class Source:
    """A folder with scans.

    Attributes:
        files: the file system.
        folder: the path in it.
    """

    files: fsspec.AbstractFileSystem
    folder: str

    @classmethod
    def open(cls, address: str) -> "Source":
        """Open a folder or fsspec URL.

        Raises:
            InputError: if there is no such folder.
        """
        expected = "expected a folder with scans, or a URL such as s3://bucket/scans"
        try:
            files, folder = fsspec.url_to_fs(address)
            files.invalidate_cache()
            is_folder = bool(address.strip() and folder.strip("/")) and files.isdir(folder)
        except Exception as error:  # of whatever library serves the URL; its text may have names
            problem = type(error).__name__
            raise InputError(f"source: cannot be read ({problem}), {expected}") from None
        if not is_folder:
            raise InputError(f"source: is no folder, {expected}")
        return cls(files, folder.rstrip("/"))


@dataclass(frozen=True)
class Row:
    """A lesion of the manifest, or a picture.

    Attributes:
        line: of the manifest; None without one.
        cells: by column; without a manifest `image` alone.
    """

    line: int | None
    cells: Mapping[str, str]


class UnusableError(ValueError):
    """A scan cannot be fetched. The message contains none of its names."""


def list_rows(source: Source) -> list[Row]:
    """List the lesions of manifest.csv, or the pictures of a folder without one.

    Raises:
        InputError: if the manifest is no table, or has no column `image`.
    """
    path = f"{source.folder}/{MANIFEST}"
    if source.files.exists(path):
        return list(_manifest_rows(source.files.cat_file(path)))
    found = []
    for name in sorted(source.files.find(source.folder)):
        if name.lower().endswith(PICTURES):
            found.append(Row(None, {"image": name.removeprefix(f"{source.folder}/")}))
    return found


def _manifest_rows(content: bytes) -> Iterator[Row]:
    try:
        table = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        columns = [name.strip() for name in next(table, [])]
        if "image" not in columns or len(set(columns)) < len(columns):
            raise InputError(f"{MANIFEST}: expected different columns, one of them image")
        for cells in table:
            if len(cells) not in (0, len(columns)):
                counts = f"has {len(cells)} cells, expected {len(columns)}"
                raise InputError(f"{MANIFEST}:{table.line_num}: {counts}")
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                yield Row(table.line_num, dict(zip(columns, stripped, strict=True)))
    except (UnicodeDecodeError, csv.Error) as error:
        found = type(error).__name__
        raise InputError(f"{MANIFEST}: is no table with commas, in UTF-8 ({found})") from None


class Fetcher:
    """Copies scans under the names of their contents, each of them once.

    Attributes:
        folder: that receives the copies.
        known: the digest of the content by the state of a file in the source, from earlier runs,
            so that a scan that was there before is not copied again.
    """

    def __init__(self, source: Source, folder: Path, known: dict[str, str]) -> None:
        self.folder = folder
        self.known = known
        self._source = source

    def digest(self, name: str) -> str:
        """Return the digest of the content of a file or folder; copy it if it is not known.

        Raises:
            UnusableError: if it cannot be read.
        """
        state = self._state(name)
        if state not in self.known:
            self.known[state] = self._copy(name)
        return self.known[state]

    def copy(self, name: str) -> str:
        """Return the name of the copy of a file or folder in `folder`.

        Raises:
            UnusableError: if it cannot be read.
        """
        copied = _name_of_copy(name, self.digest(name))
        if not (self.folder / copied).exists():  # its digest is known from an earlier run
            digest = self.known[self._state(name)] = self._copy(name)
            copied = _name_of_copy(name, digest)
        return copied

    def _paths(self, name: str) -> dict[str, str]:
        """Return the files of a scan, by their paths relative to it, "" for a single file."""
        files, folder = self._source.files, self._source.folder
        parts = PurePosixPath(name).parts
        if not parts or PurePosixPath(name).is_absolute() or ".." in parts or "\0" in name:
            raise UnusableError(OUTSIDE)
        if name.lower().endswith(DETACHED):
            raise UnusableError("the header names another file, expected one file such as .mha")
        path = f"{folder}/{name}".rstrip("/")
        if files.isfile(path):
            found = {"": path}
        else:
            found = {inside.removeprefix(f"{path}/"): inside for inside in sorted(files.find(path))}
        if not found:
            raise UnusableError("the image or mask is missing")
        if isinstance(files, LocalFileSystem):
            _check_inside(found.values(), folder)
        return found

    def _state(self, name: str) -> str:
        try:
            states = []
            for inside, path in self._paths(name).items():
                states.append([inside, path, self._source.files.ukey(path)])
        except UnusableError:
            raise
        except Exception as error:  # of whatever library serves the URL; its text may have names
            raise UnusableError(f"cannot be read ({type(error).__name__})") from None
        return digest_content(states)

    def _copy(self, name: str) -> str:
        """Copy a scan and return the digest of its content."""
        arriving = self.folder / "arriving"
        shutil.rmtree(arriving, ignore_errors=True)
        arriving.mkdir(parents=True)
        paths = self._paths(name)
        digests = []
        for number, path in enumerate(paths.values()):
            copy = arriving / f"{number:05d}{_suffix(path)}"
            try:
                self._source.files.get_file(path, str(copy))
            except Exception as error:  # as above
                raise UnusableError(f"cannot be read ({type(error).__name__})") from None
            digests.append(sha256(copy))
        is_file = "" in paths
        digest = digests[0] if is_file else _digest_folder(digests)
        place = self.folder / _name_of_copy(name, digest)
        if not place.exists():
            (copy if is_file else arriving).rename(place)
        return digest


def _name_of_copy(name: str, digest: str) -> str:
    return f"{digest[:SHORT]}{_suffix(name)}"


def _check_inside(paths: Iterable[str], folder: str) -> None:
    """Raise UnusableError if a local file, or what it links to, is not in a folder."""
    root = Path(folder).resolve()
    for path in paths:
        if not Path(path).resolve().is_relative_to(root):
            raise UnusableError(OUTSIDE)


def _suffix(name: str) -> str:
    """Return the suffix of a file, such as .nii.gz, if it is short enough to be one."""
    found = SUFFIX.search(name.lower())
    return found[0] if found else ""


def _digest_folder(digests: Iterable[str]) -> str:
    """Return what `sha256sum series/* | cut -c-64 | sort | sha256sum` prints for a folder."""
    lines = "".join(f"{digest}\n" for digest in sorted(digests))
    return hashlib.sha256(lines.encode()).hexdigest()


def digest_content(content: object) -> str:
    """Return the SHA-256 of JSON values."""
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
