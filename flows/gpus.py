"""GPU slots: a stage that asks for a GPU waits for one, has it alone, and gives it back whatever happens."""

import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prefect.concurrency.sync import concurrency

LIMIT = "gpu"  # the Prefect concurrency limit: as many slots as there are GPUs for graft to use
WAIT_S = 1.0


def devices() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them; none without a driver."""
    if (visible := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [name for name in visible.split(",") if name]
    if not shutil.which("nvidia-smi"):
        return []
    query = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    return subprocess.run(query, capture_output=True, text=True).stdout.split()


@contextmanager
def slot(wanted: bool) -> Iterator[dict[str, str]]:
    """Yield the environment variables of a stage, which name its one GPU where it wants one and there is any."""
    found = devices()
    if not (wanted and found):
        yield {}
        return
    with concurrency(LIMIT, occupy=1), _alone(found) as device:
        yield {"CUDA_VISIBLE_DEVICES": device}


@contextmanager
def _alone(found: list[str]) -> Iterator[str]:
    """Yield a device that no other run on this machine has; a lock of the kernel's ends with its process."""
    while True:
        for device in found:
            path = Path(tempfile.gettempdir()) / f"graft-gpu-{device}.lock"
            with path.open("a") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                yield device
                return
        time.sleep(WAIT_S)
