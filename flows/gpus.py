"""GPU slots: a stage that asks for a GPU waits for one, has it alone, and gives it back whatever happens."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prefect.concurrency.sync import concurrency

from flows.locks import locked

LIMIT = "gpu"  # the Prefect concurrency limit: as many slots as there are GPUs for graft to use
LEASE_S = 60.0  # a slot whose run was killed is free again after this; Prefect allows no less


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
    folder = Path(tempfile.gettempdir())
    files = {folder / f"graft-gpu-{device.replace('/', '-')}.lock": device for device in found}
    with concurrency(LIMIT, occupy=1, lease_duration=LEASE_S), locked(list(files), "a GPU") as file:
        yield {"CUDA_VISIBLE_DEVICES": files[file]}
