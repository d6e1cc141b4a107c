"""A clone of the repository's committed HEAD to run DVC in, and what a command there costs in time and memory."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from graft.common.files import InputError

ROOT = Path(__file__).parents[1]
POLL_S = 0.1  # seconds between two looks at the memory


@dataclass(frozen=True)
class Cost:
    """What a command took.

    `peak` is the largest sum, in bytes, of the resident memory of all its processes; what they share
    counts in each, so it is an upper bound. `lines` is what it printed, with the seconds since its start.
    """

    seconds: float
    peak: int
    lines: list[tuple[float, str]]


@contextmanager
def fresh() -> Iterator[Path]:
    """Yield a clone of HEAD in a temporary folder, with a DVC cache of its own; both go when the block ends."""
    with tempfile.TemporaryDirectory(prefix="graft-") as folder:
        clone(Path(folder) / "clone")
        yield Path(folder) / "clone"


def clone(folder: Path) -> None:
    """Clone HEAD into `folder`, or bring the clone that is there to HEAD, where its DVC cache stays.

    Raises InputError where git cannot.
    """
    if _git(ROOT, "status", "--porcelain"):
        note(f"{ROOT}: what is not committed is left out")
    if not folder.exists():
        _git(ROOT, "clone", "--quiet", str(ROOT), str(folder))
    _git(folder, "fetch", "--quiet", str(ROOT), "HEAD")
    _git(folder, "reset", "--quiet", "--hard", "FETCH_HEAD")


def commit(folder: Path) -> str:
    """The commit that a clone stands at."""
    return _git(folder, "rev-parse", "HEAD")


def dvc(folder: Path, *words: str) -> None:
    """Run `dvc` in a clone; what it says goes to stderr. Raises InputError where it fails."""
    command = ["dvc", *words]
    _check(
        command,
        folder,
        subprocess.run(command, cwd=folder, env=_environment(folder), stdout=sys.stderr).returncode,
    )


def measure(folder: Path, *command: str, settings: Mapping[str, str] | None = None) -> Cost:
    """Run a command in a clone, with more environment variables, and measure it. Raises InputError where it fails."""
    lines = []
    began = time.perf_counter()
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(
        command, cwd=folder, env={**_environment(folder), **(settings or {})}, **pipes
    ) as process:
        peak, watch = [0], threading.Thread(target=lambda: _watch(process.pid, peak), daemon=True)
        watch.start()
        for line in process.stdout:
            lines.append((time.perf_counter() - began, line.rstrip()))
    seconds = time.perf_counter() - began
    watch.join()
    if process.returncode:
        note("\n".join(line for _, line in lines))
    _check(list(command), folder, process.returncode)
    return Cost(seconds, peak[0], lines)


def note(text: str) -> None:
    """Say how a benchmark goes, on stderr: stdout is for its table."""
    print(text, file=sys.stderr, flush=True)


def _environment(folder: Path) -> dict[str, str]:
    """This interpreter as `python`, and no DVC settings but the clone's own: another cache would hide work."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    settings = {
        name: str(folder.parent / "no-settings")
        for name in ("DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR")
    }
    return {**os.environ, **settings, "PATH": path, "PYTHONUNBUFFERED": "1"}


def _watch(pid: int, peak: list[int]) -> None:
    try:
        process = psutil.Process(pid)
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            peak[0] = max(
                peak[0], sum(_resident(p) for p in [process, *process.children(recursive=True)])
            )
            time.sleep(POLL_S)
    except psutil.NoSuchProcess:
        pass


def _resident(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except psutil.NoSuchProcess:
        return 0


def _git(folder: Path, *words: str) -> str:
    command = ["git", *words]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    _check(command, folder, result.returncode, " ".join(result.stderr.split()))
    return result.stdout.strip()


def _check(
    command: list[str], folder: Path, status: int, said: str = "what it said is above"
) -> None:
    if status:
        raise InputError(f"{folder}: {' '.join(command)} ended with {status}, expected 0 ({said})")
