"""Checkpoints of a training: outside the outputs, with a key of everything that decides it."""

import hashlib
import json
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as as_bytes
from torch import Tensor

from graft.common.code import code_digest
from graft.common.files import whole_file

CODE = ("common", "data", "networks", "training")  # the packages that decide a training
SAVE_EVERY_S = 10.0  # seconds of training that a kill may cost


class Checkpoint:
    """The newest state of one training.

    `key` is everything that decides the result of the training, as plain values. The code of the
    packages in CODE is added to it. A training with another key has another file, so that it never
    resumes from a stale state.
    """

    def __init__(self, folder: Path, key: object) -> None:
        self.path = folder / f"{key_digest(key, CODE)}.safetensors"
        self._saved = time.monotonic()

    def load(self) -> tuple[dict[str, Tensor], dict] | None:
        """The tensors and the progress that were saved last, or None if they cannot be read."""
        try:
            with safe_open(self.path, "pt") as file:
                progress = json.loads(file.metadata()["progress"])
                names = file.keys()
                tensors = {name: file.get_tensor(name) for name in names}
        except (OSError, SafetensorError):
            return None
        return tensors, progress

    def due(self) -> bool:
        """Whether the last save is long enough ago."""
        return time.monotonic() - self._saved >= SAVE_EVERY_S

    def save(self, tensors: dict[str, Tensor], progress: dict) -> None:
        """Replace the state by a new one, completely or not at all."""
        with whole_file(self.path) as partial:
            partial.write_bytes(as_bytes(tensors, {"progress": json.dumps(progress)}))
        self._saved = time.monotonic()


def clear_checkpoints(folder: Path) -> None:
    """Delete the checkpoints of a stage whose outputs are complete."""
    shutil.rmtree(folder, ignore_errors=True)


def key_digest(key: object, packages: Iterable[str]) -> str:
    """A file name made from a key of plain values and from the code of some packages of graft."""
    text = json.dumps([key, code_digest(packages)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]
