"""One attempt: a step of the pipeline in a process with limits, and the verdict on how it ended."""

import os
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path

MEMORY_BYTES = 3 << 30  # that a step may use in addition to what the campaign has
FILE_BYTES = 1 << 30  # the size of the largest file that a step may write
SECONDS = 60.0  # of computing, which other work on the machine does not shorten
PATIENCE_S = 600.0  # until a step that waits for something counts as a hang

VERDICTS = ("survived", "lost", "wrong", "traceback", "hang")
FAILURES = VERDICTS[1:]
TITLES = ("survived", "lost", "silently wrong", "tracebacks", "hangs")
OUT_OF_TIME = -signal.SIGXCPU


@dataclass(frozen=True)
class Ended:
    """How a step ended: its exit code (None if it ran out of time) and what it printed."""

    code: int | None
    out: str
    err: str

    def refused(self) -> bool:
        """Whether it ended with one clear line."""
        return self.code == 1 and self.err.startswith("error: ") and self.err.count("\n") == 1

    def fault(self) -> tuple[str, str] | None:
        """The verdict on a step that neither succeeded nor refused, with its last line."""
        lines = self.err.strip().splitlines() or [""]
        if self.code is None:
            return "hang", "no end within the limit of time"
        if "Traceback" in self.err or not (self.code == 0 or self.refused()):
            return "traceback", f"exit code {self.code}: {lines[-1][:300]}"
        return None


@dataclass(frozen=True)
class Attempt:
    """One attack.

    Attributes:
        kind: the row of the table.
        place: what is attacked and how, so that it can be repeated.
        run: makes the attempt in an empty folder, and returns the verdict and a note.
        times: how often it attacks; all of them have the same verdict.
    """

    kind: str
    place: str
    run: Callable[[Path], tuple[str, str]]
    times: int = 1


@dataclass
class Table:
    """The counts of each kind of attack, and a line for each attempt that failed."""

    counts: dict[str, Counter] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def add(self, attempt: Attempt, verdict: str, note: str) -> None:
        """Count one attempt."""
        self.counts.setdefault(attempt.kind, Counter())[verdict] += attempt.times
        if verdict in FAILURES:
            self.failures.append(f"{verdict}: {attempt.kind}: {attempt.place}: {note}")

    def rows(self) -> list[list[str]]:
        """The header, a row for each kind, and the sum of all."""
        rows = [["kind", "tried", *TITLES]]
        total: Counter = Counter()
        for kind, counts in self.counts.items():
            rows.append(_row(kind, counts))
            total += counts
        return [*rows, _row("all", total)]


def _row(kind: str, counts: Counter) -> list[str]:
    return [kind, str(counts.total()), *(str(counts[verdict]) for verdict in VERDICTS)]


def run_step(
    step: Callable[[], object],
    folder: Path,
    seconds: float = SECONDS,
    patience: float = PATIENCE_S,
    file_bytes: int = FILE_BYTES,
) -> Ended:
    """Run a function in a forked process with limits, in a folder, as a command would run.

    Args:
        step: the function, which may call `sys.exit`.
        folder: becomes the working directory. What the step prints goes beside it.
        seconds: of computing, after which a process is killed.
        patience: seconds after which the process and its children are killed in any case.
        file_bytes: the size of the largest file that it may write.
    """
    out, err = folder.with_suffix(".out"), folder.with_suffix(".err")
    sys.stdout.flush()
    child = os.fork()
    if not child:
        _become_step(step, folder, (out, err), ceil(seconds), file_bytes)
    code = _wait(child, patience)
    if code == OUT_OF_TIME:
        code = None
    return Ended(code, *(path.read_text(errors="replace") for path in (out, err)))


def _become_step(
    step: Callable[[], object], folder: Path, printed: Iterable[Path], seconds: int, file_bytes: int
) -> None:
    """Run the step and end the process."""
    code = 70  # as sysexits.h names a fault in the program
    try:
        os.setsid()
        os.chdir(folder)
        for number, path in enumerate(printed, start=1):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        limit_memory()
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, resource.RLIM_INFINITY))
        sys.addaudithook(refuse_network)
        step()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def limit_memory() -> None:
    """Limit the address space to what it is now and MEMORY_BYTES more."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def refuse_network(event: str, arguments: tuple) -> None:
    """An audit hook that refuses every connection except to this machine."""
    if event != "socket.connect":
        return
    address = arguments[1]
    if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1", "localhost"):
        raise ConnectionRefusedError(f"the campaign opens no connection to {address[0]}")


def _wait(child: int, seconds: float) -> int | None:
    """Wait for a process, and return its exit code, or None if it had to be killed."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            _kill_session(child)
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    _kill_session(child)
    os.waitpid(child, 0)
    return None


def _kill_session(child: int) -> None:
    """Kill a process and those that it started."""
    try:
        os.killpg(child, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
