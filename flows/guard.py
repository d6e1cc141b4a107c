"""Runs a command, and ends it with every process that it started when standard input closes.

A flow that is killed, in whatever way, closes its end of that pipe, so no training outlives it.
The guard leads a process group of its own, so that one signal reaches every process of the
command. It is run as a file, imports only the standard library, and starts within milliseconds.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

PATIENCE_S = 1.0  # the time between asking the group to end and killing it

_ending = threading.Event()


def main(words: list[str]) -> int:
    """Run a command and return its exit status, which is 128 + n if signal n ended it."""
    # A handler, unlike SIG_IGN, is not inherited: the command keeps the default action.
    signal.signal(signal.SIGTERM, lambda *_: _ending.set())
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL)
    threading.Thread(target=_watch_input, daemon=True).start()
    threading.Thread(target=_end_group, args=[process.pid], daemon=True).start()
    status = process.wait()
    if _ending.is_set():
        time.sleep(2 * PATIENCE_S)  # until the group is killed, this process included
    return status if status >= 0 else 128 - status


def _watch_input() -> None:
    while os.read(0, 1024):
        pass
    _ending.set()


def _end_group(command: int) -> None:
    _ending.wait()
    # The command's children are asked to end, and the command then ends by itself. DVC must not be
    # interrupted, because it could leave half a dvc.lock.
    for process in _group_members() - {os.getpid(), command}:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGTERM)
    time.sleep(PATIENCE_S)
    os.killpg(0, signal.SIGKILL)


def _group_members() -> set[int]:
    """Return the processes of this process's group."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(ProcessLookupError):
            if os.getpgid(int(folder.name)) == os.getpgrp():
                found.add(int(folder.name))
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
