"""Commands that a flow runs: every line is logged, and no process outlives the flow."""

import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from prefect import get_run_logger

from flows import guard

# For commands that share the cores: threads that spin while they wait would slow the others down.
# The number of threads stays the same, so that the bytes are those of `dvc repro`.
SHARING = {"OMP_WAIT_POLICY": "PASSIVE"}
TAIL = 20  # lines of a failed command that its error message repeats

_open_pipes: set[IO[str]] = set()  # the standard inputs of the commands that are running
_lock = threading.Lock()


@dataclass(frozen=True)
class Ended:
    """A command that has ended.

    `status` is its exit status, `tail` has its last lines, and `seen` is true if it printed the
    line that the caller asked for.
    """

    status: int
    tail: list[str]
    seen: bool


def run_command(
    words: Sequence[str],
    folder: Path,
    settings: Mapping[str, str] | None = None,
    watch_for: str | None = None,
) -> Ended:
    """Run a command and log each line that it prints.

    Every process that the command started has ended when this function returns, and also when this
    process is killed.

    Args:
        words: the command and its arguments.
        folder: the working directory.
        settings: environment variables to set in addition to the present ones.
        watch_for: a line of output to look for.
    """
    process = subprocess.Popen(
        [sys.executable, guard.__file__, *words],
        cwd=folder,
        env=_environment(settings or {}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    log = get_run_logger()
    tail: deque[str] = deque(maxlen=TAIL)
    seen = False
    with _lock:
        _open_pipes.add(process.stdin)
    try:
        for printed in process.stdout:
            line = printed.rstrip()
            seen = seen or line == watch_for
            tail.append(line)
            log.info(line)
        return Ended(process.wait(), list(tail), seen)
    finally:
        with _lock:
            _open_pipes.discard(process.stdin)
        process.stdin.close()
        _kill_group(process)
        process.stdout.close()


def end_all() -> None:
    """End every command that is running, with every process that it started."""
    with _lock:
        for pipe in _open_pipes:
            pipe.close()


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the present environment with this interpreter's programs first on the path."""
    programs = Path(sys.executable).parent
    return {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONUNBUFFERED": "1",
        **settings,
    }


def _kill_group(process: subprocess.Popen) -> None:
    with suppress(ProcessLookupError):  # raised if the group is empty, which is the usual case
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
