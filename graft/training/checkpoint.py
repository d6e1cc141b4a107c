"""Checkpoints of a training run: outside the outs, keyed by all that the run is made from."""

import hashlib
import json
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as as_bytes
from torch import Tensor

from graft.common.files import sha256, whole_file

PACKAGE = Path(__file__).parent
FOLDER = Path(".graft/checkpoints")
SAVE_EVERY_S = 10.0  # seconds of training that a kill may cost


class Checkpoint:
    """The newest state of one training run.

    `key` is all that decides the run's result; the code of graft is added to it. Another key is another
    file, so that a stale state is never resumed.
    """

    def __init__(self, stage: str, key: object) -> None:
        self.path = FOLDER / stage / f"{digest(key, PACKAGE.rglob('*.py'))}.safetensors"
        self._saved = time.monotonic()

    def load(self) -> tuple[dict[str, Tensor], dict] | None:
        """The tensors and the progress saved last, or None where there is nothing that can be read."""
        try:
            with safe_open(self.path, "pt") as file:
                progress = json.loads(file.metadata()["progress"])
                return {name: file.get_tensor(name) for name in file.keys()}, progress  # noqa: SIM118
        except (OSError, SafetensorError):
            return None

    def due(self) -> bool:
        """Whether the last save is long enough ago."""
        return time.monotonic() - self._saved >= SAVE_EVERY_S

    def save(self, tensors: dict[str, Tensor], progress: dict) -> None:
        """Replace the state by a new one, whole or not at all."""
        with whole_file(self.path) as partial:
            partial.write_bytes(as_bytes(tensors, {"progress": json.dumps(progress)}))
        self._saved = time.monotonic()


def clear_checkpoints(stage: str) -> None:
    """Forget the checkpoints of a stage whose outs are in place."""
    shutil.rmtree(FOLDER / stage, ignore_errors=True)


def digest(key: object, modules: Iterable[Path]) -> str:
    """A name for what `key`, of plain values, and the text of these modules decide."""
    code = {path.relative_to(PACKAGE).as_posix(): sha256(path) for path in sorted(modules)}
    text = json.dumps([key, code], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:24]
