"""Kernel locks between the runs of one machine; a lock is released when its process ends."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import lock_descriptor
from prefect import get_run_logger

WAIT_S = 1.0


@contextmanager
def hold_first_free(paths: Sequence[Path], wanted: str) -> Iterator[Path]:
    """Lock the first lock file that is free and yield its path.

    Waits while every file is locked, and logs once what it waits for. The lock is flock(2), the
    same as that of the program `flock`. Read access to a file is enough, so that several users
    can share one file.

    Args:
        paths: the lock files; those that are missing are created.
        wanted: what the lock stands for, in words for the log.
    """
    announced = False
    while True:
        for path in paths:
            if not path.exists():
                path.touch()
            with path.open() as file:
                if lock_descriptor(file.fileno(), blocking=False):
                    yield path
                    return
        if not announced:
            get_run_logger().info("waiting for %s, which another run uses", wanted)
            announced = True
        time.sleep(WAIT_S)
