"""Commands that a flow runs: their lines as they come, and nothing left alive when the flow ends."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from flows import guard

# For commands that share the cores: threads that spin while they wait would keep the others from working. There are
# as many threads as ever, so that the bytes are those of `dvc repro`.
SHARING = {"OMP_WAIT_POLICY": "PASSIVE"}

_running: set[subprocess.Popen] = set()
_lock = threading.Lock()


def run(
    words: Sequence[str],
    folder: Path,
    tell: Callable[[str], None],
    more: Mapping[str, str] | None = None,
) -> int:
    """Run a command in a folder, hand each line that it prints to `tell`, and return its exit status.

    `more` are environment variables beside the present ones. Every process that the command started is gone
    when this returns, and when this process is killed.
    """
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONUNBUFFERED": "1",
        **(more or {}),
    }
    process = subprocess.Popen(
        [sys.executable, guard.__file__, *words],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    with _lock:
        _running.add(process)
    try:
        for line in process.stdout:
            tell(line.rstrip())
        return process.wait()
    finally:
        with _lock:
            _running.discard(process)
        _kill(process)


def end_all() -> None:
    """End every command that is running, with all that it started."""
    with _lock:
        for process in _running:
            process.stdin.close()


def _kill(process: subprocess.Popen) -> None:
    process.stdin.close()
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # as it should be: the group is empty
    process.wait()
    process.stdout.close()
