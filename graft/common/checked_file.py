"""Files that a killed run resumes from, each with a checksum of its own.

Such a file saves time and nothing else. If it is damaged, its work is done again, because work that
resumes from wrong numbers ends in a wrong result and shows no sign of it.
"""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from graft.common.files import whole_file
from graft.common.shown import one_line

DIGEST_BYTES = hashlib.sha256().digest_size
SIZE_BYTES = 8

Content = TypeVar("Content")


def write_checked(path: Path, payload: bytes) -> None:
    """Write a SHA-256, the number of bytes and a payload, completely or not at all.

    The SHA-256 covers the name of the file as well, so that a file that was moved to the name of
    another one does not pass.
    """
    with whole_file(path) as partial, partial.open("wb") as file:
        file.write(_digest(path, payload))
        file.write(len(payload).to_bytes(SIZE_BYTES))
        file.write(payload)


def read_checked(
    path: Path, load: Callable[[bytes], Content], tell: Callable[[str], None]
) -> Content | None:
    """Read the payload of a file that `write_checked` wrote.

    What cannot be used is deleted: a file with another SHA-256 or in an older format, and whatever
    else has its name.

    Args:
        path: the file.
        load: makes the content from the payload. Whatever it raises counts as damage.
        tell: gets a line about a file that was deleted.

    Returns:
        The content, or None if there is no file or if it cannot be used.
    """
    if not os.path.lexists(path):
        return None
    try:
        return load(_payload(path))
    except Exception as error:  # the reason does not matter: the work can always be done again
        reason = one_line(str(error)) or type(error).__name__
    _delete(path)
    tell(f"{path}: is damaged ({reason}) and was deleted")
    return None


def _payload(path: Path) -> bytes:
    if not path.is_file():  # to open a FIFO would wait forever
        raise ValueError("it is not a file")
    with path.open("rb") as file:
        digest = file.read(DIGEST_BYTES)
        size = int.from_bytes(file.read(SIZE_BYTES))
        if os.fstat(file.fileno()).st_size != DIGEST_BYTES + SIZE_BYTES + size:
            raise ValueError("it has another size")
        payload = file.read()
    if digest != _digest(path, payload):
        raise ValueError("its SHA-256 differs")
    return payload


def _digest(path: Path, payload: bytes) -> bytes:
    digest = hashlib.sha256(path.name.encode())
    digest.update(payload)
    return digest.digest()


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
