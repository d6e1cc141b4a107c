"""Copies scans of a source under the digests of their contents, so that no name of theirs is kept.

A scan has the SHA-256 of its file, or that of the sorted SHA-256 of the files in its folder.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from fsspec.implementations.local import LocalFileSystem

from flows.incoming import Source
from graft.common.files import sha256

DETACHED = (".mhd", ".nhdr")  # headers that name another file
SUFFIX = re.compile(r"(\.nii)?\.[a-z0-9]{1,5}$")
OUTSIDE = "the image or mask is no path inside the folder"
SHORT = 20  # digits of a digest in the name of a copy


class UnusableError(ValueError):
    """A scan cannot be fetched. The message contains none of its names."""


class Fetcher:
    """Copies scans under the names of their contents, each of them once.

    Attributes:
        folder: that receives the copies.
        known: the digest of the content by the state of a file in the source, from earlier runs,
            so that a scan that was there before is not copied again.
        seen: the same of the files that this run has asked for.
    """

    def __init__(self, source: Source, folder: Path, known: Mapping[str, str]) -> None:
        self.folder = folder
        self.known = known
        self.seen: dict[str, str] = {}
        self._source = source

    def digest(self, name: str) -> str:
        """Return the digest of the content of a file or folder; copy it if it is not known.

        Raises:
            UnusableError: if it cannot be read.
        """
        state = self._state(name)
        if state not in self.seen:
            self.seen[state] = self.known.get(state) or self._copy(name)
        return self.seen[state]

    def copy(self, name: str) -> str:
        """Return the name of the copy of a file or folder in `folder`.

        Raises:
            UnusableError: if it cannot be read.
        """
        copied = _name_of_copy(name, self.digest(name))
        if not (self.folder / copied).exists():  # its digest is known from an earlier run
            digest = self.seen[self._state(name)] = self._copy(name)
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
