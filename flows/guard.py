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

PATIENCE_S = 1.0  # between asking the group to end and killing it

_ending = threading.Event()


def main(words: list[str]) -> int:
    """Run a command; returns its exit status, 128 + n where signal n ended it."""
    signal.signal(signal.SIGTERM, lambda *_: _ending.set())  # a handler is not inherited: the command has none
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL)
    threading.Thread(target=_watch, daemon=True).start()
    threading.Thread(target=_end, daemon=True).start()
    status = process.wait()
    if _ending.is_set():
        time.sleep(2 * PATIENCE_S)  # until the group is killed, and this process with it
    return status if status >= 0 else 128 - status


def _watch() -> None:
    while os.read(0, 1024):
        pass
    _ending.set()


def _end() -> None:
    _ending.wait()
    os.killpg(0, signal.SIGTERM)
    time.sleep(PATIENCE_S)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
