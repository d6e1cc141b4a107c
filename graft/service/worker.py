"""A process that does one task after the other, and that can be killed without harm.

Everything that reads an upload runs in such a process. If a file makes a library crash, take all
memory or never return, it costs this process and the answer to this request, and nothing else.
"""

import json
import logging
import multiprocessing
import os
import resource
import signal
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from graft.common.files import InputError
from graft.service.faults import describe_fault
from graft.service.settings import Limits

PRELOADED = ["graft.service.tasks", "graft.prediction.predictor", "graft.dicom.series"]
START_S = 120.0  # for the libraries and the model, on a busy machine
PARENT_CHECK_S = 0.5


@dataclass(frozen=True)
class Job:
    """The model that a worker loads, and its limits.

    Attributes:
        folder: of the model.
        device: for `graft.load`.
        limits: of a request.
        sha256: that the model must have, or None.
    """

    folder: Path
    device: str
    limits: Limits
    sha256: str | None


class Worker:
    """A running process with a loaded model.

    Attributes:
        facts: what the model is, as `Tasks.facts` returns it.
    """

    def __init__(self, job: Job) -> None:
        """Start the process and wait until it is ready.

        Raises:
            InputError: if the model cannot be used, or the process does not start.
        """
        # A server that has imported the libraries once forks each process in milliseconds.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        self._ours, theirs = context.Pipe()
        self.process = context.Process(target=_run, args=(job, theirs), daemon=True)
        self.process.start()
        theirs.close()
        try:
            ready = self._receive(START_S)
        except (EOFError, TimeoutError) as error:
            self.kill()
            raise InputError(f"{job.folder}: a process that loads the model ended") from error
        if "error" in ready:
            self.kill()
            raise InputError(ready["error"])
        self.facts: dict[str, Any] = ready["facts"]

    def ask(self, task: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Do a task and return what it returns; after an exception, kill this worker.

        Raises:
            EOFError: if the process ended.
            TimeoutError: if it did not answer in so many seconds.
        """
        try:
            self._ours.send_bytes(json.dumps(task).encode())
        except OSError as error:
            raise EOFError from error
        return self._receive(seconds)

    def kill(self) -> None:
        """End the process at once."""
        self.process.kill()
        self.process.join()
        self._ours.close()

    def _receive(self, seconds: float) -> dict[str, Any]:
        try:
            answer = self._ours.recv_bytes() if self._ours.poll(seconds) else None
        except OSError as error:
            raise EOFError from error
        if answer is None:
            raise TimeoutError
        return json.loads(answer)


def _run(job: Job, connection: Connection) -> None:
    """The process: load the model, then do tasks until the service ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the service ends its workers
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    _discard_output()
    try:
        from graft.service.tasks import load_tasks

        tasks = load_tasks(job.folder, job.device, job.limits, job.sha256)
        _send(connection, {"facts": tasks.facts()})
    except InputError as error:
        _send(connection, {"error": str(error)})
        return
    except Exception as error:
        _send(connection, {"error": f"{job.folder}: cannot be loaded ({describe_fault(error)})"})
        return
    _limit_memory(job.limits.memory)
    while True:
        try:
            task = json.loads(connection.recv_bytes())
        except EOFError:
            return
        _send(connection, tasks.run(task))


def _send(connection: Connection, message: Mapping[str, Any]) -> None:
    connection.send_bytes(json.dumps(message).encode())


def _discard_output() -> None:
    """Print nothing and log nothing: readers of damaged files print names of patients."""
    logging.disable(logging.CRITICAL)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def _limit_memory(most: int) -> None:
    """Let the process have so many bytes more than it has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[5])  # of data, with the stack
    limit = pages * resource.getpagesize() + most
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def _end_with_parent(parent: int) -> None:
    """End when the server that forked this process has ended, as it does with the service."""
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_S)
    os._exit(1)
