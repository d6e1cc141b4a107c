"""The workers of the service: each does one task at a time, and a lost one is replaced."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from graft.common.files import InputError
from graft.service.faults import UNUSABLE, Busy, RefusedError
from graft.service.worker import Job, Worker

RESTART_S = 5.0  # between two tries to start a worker


class Pool:
    """Workers that wait for tasks.

    Attributes:
        facts: what the model is; every worker that is started later must have loaded the same one.
        on_loss: is called for each worker that was killed or ended.
    """

    def __init__(self, job: Job) -> None:
        """Start the workers.

        Raises:
            InputError: if the model cannot be used.
        """
        first = Worker(job)
        self.facts = first.facts
        self.job = replace(job, sha256=first.facts["sha256"])
        self.on_loss: Callable[[], object] = lambda: None
        self._workers = {first}
        for _ in range(job.limits.workers - 1):
            self._workers.add(Worker(self.job))
        self._idle: asyncio.Queue[Worker] = asyncio.Queue()
        for worker in self._workers:
            self._idle.put_nowait(worker)
        self._threads = ThreadPoolExecutor(job.limits.workers)
        self._replacing: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def is_ready(self) -> bool:
        """Whether a worker is running."""
        return bool(self._workers)

    async def run(self, task: Mapping[str, Any], still_wanted: Callable[[], Any]) -> dict[str, Any]:
        """Do a task when a worker is free.

        Args:
            task: for `Tasks.run`.
            still_wanted: an awaitable function that says whether anyone waits for the result.

        Raises:
            RefusedError: if the upload made the worker crash or take too long.
            Busy: if no worker became free in time.
        """
        seconds = self.job.limits.seconds
        try:
            worker = await asyncio.wait_for(self._idle.get(), seconds)
        except TimeoutError:
            raise Busy("all processes are busy, try again later") from None
        try:
            if not await still_wanted():
                raise RefusedError(UNUSABLE, "the request was cancelled")
        except BaseException:
            self._idle.put_nowait(worker)
            raise
        loop = asyncio.get_running_loop()
        try:
            answer = await loop.run_in_executor(self._threads, worker.ask, task, seconds)
        except BaseException as error:
            self._replace(worker)
            if isinstance(error, TimeoutError):
                text = f"the work took more than {seconds:g} s and was stopped"
                raise RefusedError(UNUSABLE, text) from None
            if isinstance(error, EOFError):
                raise RefusedError(UNUSABLE, "the process that read the upload crashed") from None
            raise
        self._idle.put_nowait(worker)
        return answer

    def close(self) -> None:
        """Kill all workers, and start no others."""
        self._closed = True
        for task in self._replacing:
            task.cancel()
        for worker in tuple(self._workers):
            worker.kill()
        self._workers.clear()
        self._threads.shutdown(wait=False)

    def _replace(self, worker: Worker) -> None:
        self.on_loss()
        self._workers.discard(worker)
        worker.kill()
        if self._closed:
            return
        task = asyncio.ensure_future(self._start_another())
        self._replacing.add(task)
        task.add_done_callback(self._replacing.discard)

    async def _start_another(self) -> None:
        while True:
            try:
                worker = await asyncio.to_thread(self._start)
            except InputError:  # the model was replaced on the disk, or the machine is full
                await asyncio.sleep(RESTART_S)
                continue
            if worker is not None:
                self._idle.put_nowait(worker)
            return

    def _start(self) -> Worker | None:
        """Start a worker in a thread, which `close` cannot cancel; None after `close`."""
        if self._closed:
            return None
        worker = Worker(self.job)
        self._workers.add(worker)  # before the check, so that either `close` or this kills it
        if self._closed:
            self._workers.discard(worker)
            worker.kill()
            return None
        return worker
