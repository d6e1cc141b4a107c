"""Locks between runs on one machine: the kernel's own, which end with their process, however that ends."""

import fcntl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from prefect import get_run_logger

WAIT_S = 1.0


@contextmanager
def locked(paths: Sequence[Path], wanted: str) -> Iterator[Path]:
    """Hold the first of some lock files that is free, and yield it; while none is, wait, and say for what."""
    told = False
    while True:
        for path in paths:
            if not path.exists():
                path.touch()
            with path.open() as file:  # another user's file can be read, and that is enough
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                yield path
                return
        if not told:
            get_run_logger().info("waiting for %s, which another run has", wanted)
            told = True
        time.sleep(WAIT_S)
