"""Partial files and folders: what a process writes before it takes the place of an output."""

import errno
import fcntl
import glob
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # the errors of a disk without space


@contextmanager
def partial_beside(path: Path, make: Callable[[Path], None]) -> Iterator[Path]:
    """Yield a new partial file or folder that no other process uses, and delete it in the end.

    Leftovers of killed processes are deleted. An OSError without a file name, about the partial one
    or about a full disk gets the name of `path`. A copy onto a full disk would name its source.

    Args:
        path: the output. The name of the partial one begins with its name.
        make: `Path.touch` or `Path.mkdir`.
    """
    partial = path.with_name(f".{path.name}.{uuid4().hex[:12]}.partial")
    handle = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path.parent):
            delete_leftovers(path)
            make(partial)
            handle = _try_to_lock(partial)
        yield partial
    except OSError as error:
        named = str(error.filename or partial)
        if error.errno in FULL or named.startswith(str(partial)):
            error.filename = str(path)
        raise
    finally:
        for leftover in (partial, former_of(partial)):
            _delete(leftover)
        if handle is not None:
            os.close(handle)


def output_name(path: Path) -> str:
    """The name of the output that a partial file becomes; of any other file, its own name."""
    if path.suffix != ".partial":
        return path.name
    return path.name.removeprefix(".").rsplit(".", 2)[0]


def former_of(partial: Path) -> Path:
    """The name of the earlier output while the partial one takes its place."""
    return partial.with_suffix(".former")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Wait until no other process is in this block for the same folder.

    A partial folder is locked already, by the process that writes it and no other one does.
    """
    if folder.suffix == ".partial":
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some file systems of clusters have no locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_UN)
        os.close(handle)


def delete_leftovers(path: Path) -> None:
    """Delete the partial and former ones of an output that no process has locked."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*"):
        if leftover.suffix not in (".partial", ".former"):
            continue
        handle = _try_to_lock(leftover)
        if handle is not None:
            _delete(leftover)
            os.close(handle)


def _try_to_lock(path: Path) -> int | None:
    """Lock a file or folder until its handle is closed or the process ends.

    The result is None if another process has the lock or if the file system has no locks.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


def _delete(path: Path) -> None:
    """Delete a leftover if that is possible; a failure must not hide the first error."""
    with suppress(OSError):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
