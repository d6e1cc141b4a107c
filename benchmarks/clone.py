"""Clones of the repository to run DVC in, and what a command there costs in time and memory."""

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
POLL_S = 0.1  # seconds between two measurements of the memory


@dataclass(frozen=True)
class Cost:
    """What a command took.

    `processor_seconds` is the processor time of all its processes. `peak` is the largest sum, in
    bytes, of the resident memory of all its processes. Memory that they share counts once for each,
    so it is an upper bound. `lines` has what the command printed, with the seconds since its start.
    """

    seconds: float
    peak: int
    lines: list[tuple[float, str]]
    processor_seconds: float


@contextmanager
def fresh_clone(revision: str = "HEAD") -> Iterator[Path]:
    """Yield a clone at a revision, in a temporary folder, with an empty DVC cache of its own."""
    with tempfile.TemporaryDirectory(prefix="graft-") as parent:
        folder = Path(parent) / "clone"
        update_clone(folder, revision)
        yield folder


def update_clone(folder: Path, revision: str = "HEAD") -> None:
    """Clone the repository into `folder` at a revision, or move an existing clone to it.

    An existing clone keeps its DVC cache.

    Raises:
        InputError: if git fails, such as for an unknown revision.
    """
    if _git(ROOT, "status", "--porcelain"):
        print_note(f"{ROOT}: changes that are not committed are left out")
    commit = _git(ROOT, "rev-parse", "--verify", f"{revision}^{{commit}}")
    if not folder.exists():
        _git(ROOT, "clone", "--quiet", str(ROOT), str(folder))
    _git(folder, "fetch", "--quiet", str(ROOT), commit)
    _git(folder, "reset", "--quiet", "--hard", commit)


@contextmanager
def kept_clone(workdir: Path | None) -> Iterator[Path]:
    """Yield a clone of HEAD in a folder that is kept, or in a temporary one without `workdir`."""
    if workdir is None:
        with fresh_clone() as folder:
            yield folder
        return
    folder = workdir.absolute() / "clone"
    folder.parent.mkdir(parents=True, exist_ok=True)
    update_clone(folder)
    yield folder


def head_commit(folder: Path) -> str:
    """Return the commit that a clone is at."""
    return _git(folder, "rev-parse", "HEAD")


def short_revision(ignored: Path) -> str:
    """Return the revision of the repository, and "with changes" if files are not committed.

    Args:
        ignored: a file whose changes do not count.
    """
    commit = _git(ROOT, "rev-parse", "--short", "HEAD")
    unrelated = f":!{ignored.relative_to(ROOT).as_posix()}"
    changes = _git(ROOT, "status", "--porcelain", "--", ".", unrelated)
    return f"{commit} with changes" if changes else commit


def run_dvc(folder: Path, *words: str) -> None:
    """Run `dvc` in a clone and print its output to stderr.

    Raises:
        InputError: if it fails.
    """
    command = ["dvc", *words]
    done = subprocess.run(command, cwd=folder, env=_environment(folder), stdout=sys.stderr)
    _raise_if_failed(command, folder, done.returncode)


def measure_command(folder: Path, *command: str, settings: Mapping[str, str] | None = None) -> Cost:
    """Run a command in a clone and measure it.

    Args:
        folder: the clone.
        command: the command and its arguments.
        settings: environment variables to set in addition to the present ones.

    Raises:
        InputError: if the command fails.
    """
    lines = []
    peak = [0]
    began = time.perf_counter()
    before = _children_seconds()
    with subprocess.Popen(
        command,
        cwd=folder,
        env={**_environment(folder), **(settings or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        watch = threading.Thread(target=_watch_memory, args=[process.pid, peak], daemon=True)
        watch.start()
        assert process.stdout is not None
        for line in process.stdout:
            lines.append((time.perf_counter() - began, line.rstrip()))
    seconds = time.perf_counter() - began
    watch.join()
    if process.returncode:
        print_note("\n".join(line for _, line in lines))
    _raise_if_failed(list(command), folder, process.returncode)
    return Cost(seconds, peak[0], lines, _children_seconds() - before)


def print_note(text: str) -> None:
    """Print the progress of a benchmark to stderr, because stdout is for its table."""
    print(text, file=sys.stderr, flush=True)


def _environment(folder: Path) -> dict[str, str]:
    """Return an environment with this interpreter as `python` and only the clone's DVC settings.

    A DVC cache from the user's settings would hide work. Modules are compiled once, as by default.
    """
    programs = Path(sys.executable).parent
    nowhere = str(folder.parent / "no-settings")
    present = dict(os.environ)
    present.pop("PYTHONDONTWRITEBYTECODE", None)
    return {
        **present,
        "DVC_GLOBAL_CONFIG_DIR": nowhere,
        "DVC_SYSTEM_CONFIG_DIR": nowhere,
        "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONUNBUFFERED": "1",
    }


def _children_seconds() -> float:
    """Return the processor time of all processes that ended below this one."""
    times = os.times()
    return times.children_user + times.children_system


def _watch_memory(pid: int, peak: list[int]) -> None:
    """Keep the largest memory of a process and its descendants in `peak[0]` until it ends."""
    try:
        process = psutil.Process(pid)
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            family = [process, *process.children(recursive=True)]
            peak[0] = max(peak[0], sum(_resident_bytes(member) for member in family))
            time.sleep(POLL_S)
    except psutil.NoSuchProcess:
        return


def _resident_bytes(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except psutil.NoSuchProcess:
        return 0


def _git(folder: Path, *words: str) -> str:
    command = ["git", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    _raise_if_failed(command, folder, done.returncode, " ".join(done.stderr.split()))
    return done.stdout.strip()


def _raise_if_failed(
    command: list[str], folder: Path, status: int, message: str = "its output is above"
) -> None:
    if status:
        text = " ".join(command)
        raise InputError(f"{folder}: {text} ended with {status}, expected 0 ({message})")
