"""Runs a command and ends it, with all that it started, when its own standard input closes.

A flow that is killed, in whatever way, closes its end of that pipe: no training is left behind. The guard
leads a process group of its own, so that one signal reaches every process of the command. It is run as a
file, needs nothing but the standard library, and starts in a few milliseconds.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

PATIENCE_S = 1.0  # between asking the group to end and killing it

_ending = threading.Event()


def main(words: list[str]) -> int:
    """Run a command; returns its exit status, 128 + n where signal n ended it."""
    signal.signal(
        signal.SIGTERM, lambda *_: _ending.set()
    )  # a handler is not inherited: the command has none
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL)
    threading.Thread(target=_watch, daemon=True).start()
    threading.Thread(target=_end, args=[process.pid], daemon=True).start()
    status = process.wait()
    if _ending.is_set():
        time.sleep(2 * PATIENCE_S)  # until the group is killed, and this process with it
    return status if status >= 0 else 128 - status


def _watch() -> None:
    while os.read(0, 1024):
        pass
    _ending.set()


def _end(command: int) -> None:
    _ending.wait()
    # What the command started is asked to end, and the command ends on its own: DVC would leave half a dvc.lock.
    for process in _group() - {os.getpid(), command}:
        try:
            os.kill(process, signal.SIGTERM)
        except ProcessLookupError:
            pass
    time.sleep(PATIENCE_S)
    os.killpg(0, signal.SIGKILL)


def _group() -> set[int]:
    """The processes of the own group, as far as the system tells."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(folder.name)) == os.getpgrp():
                found.add(int(folder.name))
        except ProcessLookupError:
            pass
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
