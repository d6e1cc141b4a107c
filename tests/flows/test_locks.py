"""Locks between runs: they exclude `flock`, end with their process and can be shared."""

import logging
import os
import shutil
import subprocess
import tempfile
import time
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from pathlib import Path

import pytest

from flows import locks
from flows.locks import hold_first_free

NOBODY = 65534  # the user with the fewest rights


@pytest.fixture(autouse=True)
def plain_log(monkeypatch):
    """A log that needs no flow run."""
    monkeypatch.setattr(locks, "get_run_logger", lambda: logging.getLogger("test"))
    monkeypatch.setattr(locks, "WAIT_S", 0.05)


def start_holder(lock: Path, user: int | None = None) -> ForkProcess:
    """Start a process that holds a lock, as this user or as another one."""
    context = get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=hold, args=(lock, user, theirs))
    process.start()
    assert ours.poll(20)
    return process


def hold(lock: Path, user: int | None, locked: Connection) -> None:
    if user is not None:
        os.setuid(user)
    with hold_first_free([lock], "this folder"):
        locked.send(True)
        time.sleep(60)


def flock_succeeds(lock: Path) -> bool:
    """Whether the program `flock`, as prefect.yaml calls it, gets the lock at once."""
    return subprocess.run(["flock", "--nonblock", str(lock), "true"]).returncode == 0


@pytest.mark.skipif(not shutil.which("flock"), reason="needs util-linux")
def test_the_program_flock_waits_for_a_flow(tmp_path):
    lock = tmp_path / "flow.lock"
    with hold_first_free([lock], "this folder"):
        assert not flock_succeeds(lock)
    assert flock_succeeds(lock)


@pytest.mark.skipif(not shutil.which("flock"), reason="needs util-linux")
def test_a_flow_waits_for_the_program_flock(tmp_path, caplog):
    lock = tmp_path / "flow.lock"
    script = f"flock {lock} sh -c 'touch {tmp_path}/began; sleep 1; touch {tmp_path}/ended'"
    process = subprocess.Popen(script, shell=True)
    while not (tmp_path / "began").exists():
        assert process.poll() is None
    with caplog.at_level(logging.INFO), hold_first_free([lock], "this folder"):
        assert (tmp_path / "ended").exists()
    assert caplog.messages == ["waiting for this folder, which another run uses"]
    assert process.wait(10) == 0


def test_a_lock_ends_with_its_process(tmp_path):
    lock = tmp_path / "flow.lock"
    process = start_holder(lock)
    process.kill()
    process.join()
    with hold_first_free([lock], "this folder") as path:
        assert path == lock


def test_the_first_free_file_is_locked(tmp_path):
    first, second = tmp_path / "0.lock", tmp_path / "1.lock"
    process = start_holder(first)
    try:
        with hold_first_free([first, second], "a GPU") as path:
            assert path == second
    finally:
        process.kill()
        process.join()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs the right to become another user")
def test_a_lock_file_of_another_user_can_be_locked():
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        lock = Path(folder) / "gpu.lock"
        lock.touch(mode=0o644)  # readable, but not writable, by others
        process = start_holder(lock, NOBODY)
        try:
            assert not flock_succeeds(lock)
        finally:
            process.kill()
            process.join()
