"""Files that appear completely or not at all, and the error that users see."""

import hashlib
import json
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from graft.common.partial import former_of, locked, partial_beside


class InputError(ValueError):
    """An error in what a user gave to graft: a file or a parameter.

    The message is one line. It names the file or the parameter, what was found there and what was
    expected. Stages print it and exit with 1. Any other exception is a fault in graft.
    """


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside `path` that replaces `path` if the block does not raise.

    If the block raises, `path` stays as it was. What a killed run left beside it is deleted. Two
    processes may write the same folder: the last one to end replaces what the other one wrote.
    An OSError about the new folder or about a full disk gets the name of `path`.
    """
    with partial_beside(path, Path.mkdir) as partial:
        yield partial
        with locked(path.parent):
            if path.exists():
                path.rename(former_of(partial))
            partial.rename(path)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield an empty file beside `path` that replaces `path` if the block does not raise.

    Everything else is as in `whole_folder`.
    """
    with partial_beside(path, Path.touch) as partial:
        yield partial
        partial.replace(path)


def write_json(path: Path, content: object) -> None:
    """Write `content` as indented JSON, with its keys in their order.

    Raises:
        ValueError: if a number is NaN or infinite, which JSON does not have.
    """
    text = json.dumps(content, indent=2, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path) -> dict:
    """Read a JSON object.

    Raises:
        InputError: if the file is missing or cut short, or if it contains something else.
    """
    if path.exists():
        check_regular_file(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error})") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: contains a {type(content).__name__}, expected a JSON object")
    return content


def check_regular_file(path: Path) -> None:
    """Check that a path is a file or a link to one, before something reads it.

    Opening a named pipe waits for ever, and a device may have no end.

    Raises:
        InputError: if it is missing or is anything else.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:  # ValueError: the name has a null character
        is_missing = isinstance(error, FileNotFoundError)
        found = "is missing" if is_missing else f"cannot be read ({error})"
        raise InputError(f"{path}: {found}, expected a file") from error
    if not stat.S_ISREG(mode):
        found = "a folder" if stat.S_ISDIR(mode) else "a pipe, a socket or a device"
        raise InputError(f"{path}: is {found}, expected a file")


def last_line(error: Exception) -> str:
    """What an exception of a library says, in one line, or its type if it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[-1].strip() if lines else type(error).__name__


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
