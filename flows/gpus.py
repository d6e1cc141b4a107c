"""GPU slots: a stage that asks for a GPU waits for one and has it alone until it ends."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prefect.concurrency.sync import concurrency

from flows.locks import hold_first_free

LIMIT = "gpu"  # the Prefect concurrency limit: as many slots as graft may use GPUs
LEASE_S = 60.0  # the slot of a killed run is free again after this time; Prefect's minimum


def visible_devices() -> list[str]:
    """Return the GPUs that this process may use, named as in CUDA_VISIBLE_DEVICES."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name]
    if not shutil.which("nvidia-smi"):
        return []
    query = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    return subprocess.run(query, capture_output=True, text=True).stdout.split()


@contextmanager
def gpu_slot(wanted: bool) -> Iterator[dict[str, str]]:
    """Yield the environment variables that give a stage its GPU.

    There are none if the stage does not want a GPU or if the machine has no GPU.
    """
    devices = visible_devices()
    if not wanted or not devices:
        yield {}
        return
    folder = Path(tempfile.gettempdir())
    by_file = {}
    for device in devices:
        by_file[folder / f"graft-gpu-{device.replace('/', '-')}.lock"] = device
    with (
        concurrency(LIMIT, occupy=1, lease_duration=LEASE_S),
        hold_first_free(list(by_file), "a GPU") as file,
    ):
        yield {"CUDA_VISIBLE_DEVICES": by_file[file]}
