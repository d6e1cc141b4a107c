"""Files that appear completely or not at all, and the error that users see."""

import hashlib
import json
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from graft.common.partial import former_of, locked, output_name, partial_beside

SEAL = "sha256"  # the key of a document's own SHA-256
FILES = "files"  # its key for the SHA-256 of the files that belong to it, by their relative paths
DIGITS = 12  # of a hash in a message
REMEDY = "delete it and run `dvc repro` again"  # the stage that wrote it writes it again


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
    """Read a JSON object. If it is sealed, check the seal.

    Returns:
        The object without its seal.

    Raises:
        InputError: if the file is missing or cut short, contains something else, or was changed
            after `write_sealed` wrote it.
    """
    content = _parse_json(path)
    seal = content.pop(SEAL, None)
    if seal is not None:
        check_digest(path, _content_digest(path, content), seal)
    return content


def write_sealed(path: Path, content: Mapping, files: Iterable[str] = ()) -> None:
    """Write a JSON object with its own SHA-256, so that its readers notice every later change.

    The SHA-256 is also that of the name of the file.

    Args:
        path: the file.
        content: the object.
        files: files that belong to it, as paths relative to its folder. Their SHA-256 are added.

    Raises:
        ValueError: if a number is NaN or infinite.
    """
    complete = dict(content)
    if files:
        complete[FILES] = {name: sha256(path.parent / name) for name in files}
    write_json(path, {**complete, SEAL: _content_digest(path, complete)})


def read_sealed(path: Path) -> dict:
    """Read what `write_sealed` wrote: the object without its seal, but with its `files`.

    Raises:
        InputError: if the file cannot be read, has no seal or was changed after it was written.
    """
    if SEAL not in _parse_json(path):
        raise InputError(
            f"{path}: has no key {SEAL!r}, expected the SHA-256 of its content, which graft "
            f"writes; {REMEDY}"
        )
    return read_json(path)


def check_files(document: Path, content: Mapping, names: Iterable[str]) -> None:
    """Check that files are those that a sealed document names.

    Args:
        document: the path of the document.
        content: its content.
        names: of the files, as paths relative to its folder.

    Raises:
        InputError: if a file is missing or not in the document, or was changed after it was
            written.
    """
    listed = content.get(FILES, {})
    for name in names:
        if name not in listed:
            raise InputError(f"{document}: names no file {name!r}, expected its SHA-256; {REMEDY}")
        check_sha256(document.parent / name, listed[name])


def check_sha256(path: Path, expected: str) -> None:
    """Raise InputError if a file is missing, is no regular file or has another SHA-256."""
    check_digest(path, sha256(path), expected)


def check_digest(path: Path, found: str, expected: object) -> None:
    """Raise InputError if the SHA-256 of a file's content is another than the expected one."""
    if found != expected:
        raise InputError(
            f"{path}: was changed after it was written: its SHA-256 is {found[:DIGITS]}, "
            f"expected {str(expected)[:DIGITS]}; {REMEDY}"
        )


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


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal.

    Raises:
        InputError: if there is no regular file.
    """
    check_regular_file(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _parse_json(path: Path) -> dict:
    check_regular_file(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error})") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: contains a {type(content).__name__}, expected a JSON object")
    return content


def _refuse_constant(name: str) -> None:
    """JSON has no NaN and no infinity, although Python reads them."""
    raise ValueError(f"{name} is no number of JSON")


def _content_digest(path: Path, content: Mapping) -> str:
    """SHA-256 of the name of a file and its content, as shortest JSON with sorted keys.

    So a document in the place of another one, which has another name, does not pass.
    """
    text = json.dumps([output_name(path), content], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
