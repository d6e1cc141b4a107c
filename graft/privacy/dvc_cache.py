"""The files of an output, among them those in a cache of DVC, which are named by their content."""

import hashlib
import json
import re
from functools import cached_property
from pathlib import Path

from graft.privacy.gather import list_raw_files

# <cache>/files/md5/ab/cdef... (DVC 3) or <cache>/ab/cdef... (DVC 2); .dir lists a folder.
OBJECT = re.compile(r"/([0-9a-f]{2})/([0-9a-f]{30}(?:\.dir)?)")


class DvcCache:
    """The files of an output without copies of the raw data, which the user added to DVC.

    Attributes:
        files: to search, sorted.
        raw_copies: how many files are left out because they are copies of raw data.
        raw_lists: how many are left out because they list raw data. DVC keeps one of each folder
            that a stage reads, also if nobody added the folder.
    """

    def __init__(self, raw: Path, output: Path) -> None:
        """List the files of `output`."""
        self._raw = raw
        self._names: dict[str, str] = {}
        self.files: list[Path] = []
        self.raw_copies = 0
        self.raw_lists = 0
        files = [path for path in sorted((output, *output.rglob("*"))) if path.is_file()]
        for file in files:
            digest = _digest(file)
            if digest.endswith(".dir"):
                self._names |= dict(_listed(file))
        for file in files:
            if not self._is_raw(file):
                self.files.append(file)
            elif _digest(file).endswith(".dir"):
                self.raw_lists += 1
            else:
                self.raw_copies += 1

    def name_of(self, file: Path) -> str:
        """The name of a cached file in its folder of the working tree; "" if it is not known."""
        return self._names.get(_digest(file), "")

    def _is_raw(self, file: Path) -> bool:
        digest = _digest(file)
        if digest.endswith(".dir"):
            listed = [found for found, _ in _listed(file)]
            return bool(listed) and self._raw_digests.issuperset(listed)
        return bool(digest) and digest in self._raw_digests

    @cached_property
    def _raw_digests(self) -> set[str]:
        digests = set()
        for file in list_raw_files(self._raw):
            with file.open("rb") as content:
                digests.add(hashlib.file_digest(content, "md5").hexdigest())
        return digests


def _digest(file: Path) -> str:
    """The MD5 that a file in the cache is named by; "" for any other file."""
    found = OBJECT.search(file.as_posix())
    return found[1] + found[2] if found and file.name == found[2] else ""


def _listed(file: Path) -> list[tuple[str, str]]:
    """The MD5 and the name of each file of a folder that DVC lists; empty if it is damaged."""
    try:
        entries = json.loads(file.read_bytes())
        return [(str(entry["md5"]), str(entry["relpath"])) for entry in entries]
    except (ValueError, TypeError, KeyError):
        return []
