"""Checkpoints, from which a killed training resumes.

They lie outside the outputs of a stage. The name of a checkpoint is a digest of everything that
decides the result of the training.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from safetensors.torch import load as from_bytes
from safetensors.torch import save as as_bytes
from torch import Tensor

from graft.common.checked_file import read_checked, write_checked
from graft.common.code import code_digest, library_versions
from graft.console import say

CODE = ("common", "data", "networks", "training")  # the packages that decide a training
SAVE_EVERY_S = 10.0  # a kill costs at most these seconds and one epoch

Content = TypeVar("Content")


class Checkpoint:
    """The newest state of one training.

    A training with another key has another file, so that it never resumes from a stale state.
    """

    def __init__(self, folder: Path, key: object) -> None:
        """Name the file of the checkpoint. Nothing is read or written yet.

        Args:
            folder: where the checkpoints of a stage lie.
            key: everything that decides the result of the training, as plain JSON values. The
                code of the packages in CODE and the versions of libraries are added to it.
        """
        self.path = folder / f"{key_digest(key, CODE)}.checkpoint"
        self._saved = time.monotonic()

    def load(self) -> tuple[dict[str, Tensor], dict] | None:
        """Read the tensors and the progress that were saved last.

        The result is None if there is no checkpoint or if it is damaged.
        """
        return read_or_restart(self.path, _unpack)

    def due(self) -> bool:
        """Whether at least SAVE_EVERY_S have passed since the last save."""
        return time.monotonic() - self._saved >= SAVE_EVERY_S

    def save(self, tensors: dict[str, Tensor], progress: dict) -> None:
        """Replace the saved state, completely or not at all.

        Args:
            tensors: by name, contiguous and on the CPU.
            progress: plain JSON values.
        """
        write_checked(self.path, _pack(tensors, progress))
        self._saved = time.monotonic()


def clear_checkpoints(folder: Path) -> None:
    """Delete the checkpoints of a stage whose outputs are complete."""
    shutil.rmtree(folder, ignore_errors=True)


def read_or_restart(path: Path, load: Callable[[bytes], Content]) -> Content | None:
    """Read the payload of a file that `write_checked` wrote; None if there is no usable one.

    A line says that a file was damaged. `load` makes the content from the payload.
    """
    return read_checked(path, load, lambda fault: say(f"{fault}; this training restarts"))


def _pack(tensors: dict[str, Tensor], progress: dict) -> bytes:
    """The progress as one line of JSON, followed by the tensors."""
    return json.dumps(progress).encode() + b"\n" + as_bytes(tensors)


def _unpack(payload: bytes) -> tuple[dict[str, Tensor], dict]:
    progress, _, tensors = payload.partition(b"\n")
    return from_bytes(tensors), json.loads(progress)


def key_digest(key: object, packages: Iterable[str]) -> str:
    """Make a file name from a key of plain JSON values and the code of some packages of graft.

    The versions of the libraries that decide a result are part of it. The name has 24 hexadecimal
    digits.
    """
    text = json.dumps([key, code_digest(packages), library_versions()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]
