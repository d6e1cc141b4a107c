"""The workers of the service, where a request or the service itself ends early."""

import asyncio
from collections.abc import Iterator

import pytest

from graft.service.pool import Pool
from graft.service.settings import Limits
from graft.service.worker import Job, Worker


@pytest.fixture
def pool(model_folder) -> Iterator[Pool]:
    pool = Pool(Job(model_folder, "cpu", Limits(memory=1 << 30), None))
    yield pool
    pool.close()


def test_a_question_that_fails_gives_the_worker_back(pool):
    async def fail() -> bool:
        raise ConnectionResetError

    async def ask_twice() -> None:
        for _ in range(2):
            with pytest.raises(ConnectionResetError):
                await pool.run({}, fail)

    asyncio.run(asyncio.wait_for(ask_twice(), 20))


def test_a_process_that_starts_while_the_service_ends_is_killed(pool, monkeypatch):
    started = []

    def start_late(job: Job) -> Worker:
        started.append(Worker(job))
        pool.close()  # the service ends before the new process is known
        return started[0]

    async def lose_a_worker() -> None:
        [worker] = pool._workers
        pool._replace(worker)
        await asyncio.gather(*pool._replacing, return_exceptions=True)

    monkeypatch.setattr("graft.service.pool.Worker", start_late)
    asyncio.run(lose_a_worker())
    assert not started[0].process.is_alive()
    assert not pool.is_ready
    assert pool._start() is None
    assert len(started) == 1
