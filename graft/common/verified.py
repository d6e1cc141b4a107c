"""A memory of large files whose content was verified, so that it is not read in every stage.

A record says that a file had a SHA-256 when it had a certain size, inode and times. It is used
while all of these are the same, as Git and DVC do for their files. Whoever writes to a file or puts
another one in its place changes the time of its last change of status, which no program can set.
Damage that goes around the file system, such as bit rot, is found only where there is no record.
"""

import hashlib
import os
import time
from pathlib import Path

from graft.common.files import InputError, read_sealed, whole_file, write_sealed

LARGE_BYTES = 2**28  # a smaller file is always read: it takes a fifth of a second
SETTLED_S = 2.0  # after this time, another change gives a file another time on every file system


class VerifiedFiles:
    """The records of one folder. Without a folder, no file counts as verified."""

    def __init__(self, folder: Path | None = None) -> None:
        """Name the folder of the records. It may be deleted at any time."""
        self._folder = folder
        self._states: dict[Path, list[int]] = {}

    def has(self, path: Path, sha256: str) -> bool:
        """Whether a file had this SHA-256 when it was verified, and has not changed since."""
        if self._folder is None or not path.is_file() or path.stat().st_size < LARGE_BYTES:
            return False
        state = _settled_state(path)
        self._states[path] = state
        try:
            record = read_sealed(self._path_of_record(path))
        except InputError:  # there is none, or it is damaged
            return False
        return record == _record(path, state, sha256)

    def add(self, path: Path, sha256: str) -> None:
        """Record that the content of a file was verified after `has` was asked about it.

        Nothing is recorded about a small file, or one that has changed in the meantime.
        """
        state = self._states.get(path)
        if state is None or _state(path) != state:
            return
        with whole_file(self._path_of_record(path)) as partial:
            write_sealed(partial, _record(path, state, sha256))

    def _path_of_record(self, path: Path) -> Path:
        assert self._folder is not None, "nothing is recorded without a folder"
        name = hashlib.sha256(os.fsencode(path.absolute())).hexdigest()
        return self._folder / f"{name[:24]}.json"


def _record(path: Path, state: list[int], sha256: str) -> dict:
    return {"file": str(path.absolute()), "state": state, "content": sha256}


def _settled_state(path: Path) -> list[int]:
    """The state of a file, after waiting until every later change would give it another one.

    The times of a file have a resolution, so a change right after another one may keep them.
    """
    age_s = time.time() - path.stat().st_ctime
    time.sleep(min(max(0.0, SETTLED_S - age_s), SETTLED_S))
    return _state(path)


def _state(path: Path) -> list[int]:
    status = path.stat()
    return [
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    ]
