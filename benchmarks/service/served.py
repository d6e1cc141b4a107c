"""A running `graft serve`, as a process of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from benchmarks.clone import ROOT

START_S = 120
TOKEN = "a-token-for-measuring-only"
MIB = 1 << 20


@dataclass(frozen=True)
class Served:
    """A service that runs.

    Attributes:
        url: its address.
        process: of the service.
        log: the file with everything that it prints.
        temporary: the folder in which it has its temporary files.
    """

    url: str
    process: subprocess.Popen
    log: Path
    temporary: Path

    def client(self) -> httpx.Client:
        """A client with the token."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=300)

    def uploads(self) -> list[Path]:
        """The files of uploads that are there now."""
        return [path for path in self.temporary.rglob("*") if path.is_file()]

    def memory(self) -> float:
        """MiB of the service and its processes; what they share counts once."""
        service = psutil.Process(self.process.pid)
        total = 0
        for process in (service, *service.children(recursive=True)):
            total += process.memory_full_info().pss
        return total / MIB

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(60)


@contextmanager
def serving(model: Path, workdir: Path, *options: str) -> Iterator[Served]:
    """Start the service, wait until it is ready, and end it after the block.

    Args:
        model: a model folder.
        workdir: an existing folder for the log and the temporary files. Its path must be short,
            because a socket is in it.
        options: of `graft serve`.
    """
    log = workdir / "serve.log"
    temporary = workdir / "temporary"
    temporary.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "graft", "serve", str(model), "--port", "0", *options]
    environment = {**os.environ, "GRAFT_SERVE_TOKEN": TOKEN, "TMPDIR": str(temporary)}
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=file, stderr=file, start_new_session=True
        )
    try:
        yield Served(_wait_for_address(log, process), process, log, temporary)
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(60)


def _wait_for_address(log: Path, process: subprocess.Popen) -> str:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        for line in log.read_text(encoding="utf-8").splitlines():
            if line.startswith("http://"):
                return line.rstrip("/")
        time.sleep(0.05)
    raise RuntimeError(f"the service did not start: {log.read_text(encoding='utf-8')[-500:]}")
