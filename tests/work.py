"""Pieces of work that tests run in other processes, which import them from here."""

import os
import signal
import time
from pathlib import Path

from threadpoolctl import threadpool_info

from graft.common.files import InputError


def describe(number: int) -> dict:
    """Where a piece of work runs; takes long enough for each worker to get one."""
    import numpy  # noqa: F401 - loads a library that computes with threads

    print(f"number {number}")
    time.sleep(0.05)
    print(f"end of {number}")
    threads = {pool["num_threads"] for pool in threadpool_info()}
    return {"number": number, "process": os.getpid(), "folder": str(Path.cwd()), "threads": threads}


def refuse_three(number: int) -> int:
    if number == 3:
        raise InputError("scan 3: is empty, expected voxels")
    return number


def kill_worker(parent: int) -> None:
    """Kill the process that runs this unless it is the parent."""
    assert os.getpid() != parent
    os.kill(os.getpid(), signal.SIGKILL)


def kill_worker_once(marker: Path) -> bool:
    """Kill the process that runs this unless this happened before."""
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return True


def wait(folder: Path, number: int) -> None:
    """Write the number of the process that runs this, and wait for longer than any test."""
    (folder / f"{number}").write_text(f"{os.getpid()}")
    time.sleep(600)
