"""A sample of every kind of attack; `python -m benchmarks.campaign` makes hundreds."""

import socket
import sys
import time
from itertools import islice

import pytest

from benchmarks.campaign import project
from benchmarks.campaign.attempts import Attempt, Table, run_step
from benchmarks.campaign.command import make_attempts
from benchmarks.campaign.damaged import plan_damage, write_inputs
from benchmarks.campaign.disks import plan_disks
from benchmarks.campaign.hostile import plan_hostile
from benchmarks.campaign.kills import plan_kills
from benchmarks.campaign.parameters import plan_parameters
from benchmarks.campaign.stage_kills import plan_stage_kills
from graft.common.files import InputError

SEED = 1


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished tiny run with raw data of every form."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in project.ENVIRONMENT.items():
            patch.setenv(name, value)
        found = project.prepare(tmp_path_factory.mktemp("campaign"))
        write_inputs(found)
        yield found


def assert_survives(attempts: list[Attempt], folder) -> None:
    table = make_attempts(attempts, folder, jobs=2)
    assert sum(counts.total() for counts in table.counts.values()) == len(attempts) > 0
    assert table.failures == []


@pytest.mark.parametrize("flips", [False, True])
def test_damaged_files(finished, tmp_path, flips):
    assert_survives(list(islice(plan_damage(finished, SEED, flips), 0, 39, 5)), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("flips", [False, True])
def test_many_damaged_files(finished, tmp_path, flips):
    assert_survives(list(islice(plan_damage(finished, SEED + 1, flips), 200)), tmp_path)


def test_killed_stages(finished, tmp_path):
    assert_survives(list(islice(plan_stage_kills(finished, SEED), 3)), tmp_path)


def test_full_disks(finished, tmp_path):
    assert_survives(list(islice(plan_disks(finished, SEED), 4)), tmp_path)


def test_wrong_parameters(finished, tmp_path):
    assert_survives(list(islice(plan_parameters(finished, SEED), 8)), tmp_path)


def test_hostile_files(finished, tmp_path):
    assert_survives(list(islice(plan_hostile(finished), 8)), tmp_path)


@pytest.mark.slow
def test_killed_runs_of_dvc(finished, tmp_path):
    assert_survives(list(islice(plan_kills(finished, SEED), 4)), tmp_path)


def end_with(status: object) -> None:
    sys.exit(status)


def fail() -> None:
    raise InputError("not caught")


def connect() -> None:
    socket.create_connection(("192.0.2.1", 80), timeout=1)


def fill_memory() -> None:
    bytearray(1 << 40)


@pytest.mark.parametrize(
    ("step", "fault"),
    [
        (lambda: None, None),
        (lambda: end_with("error: lr: got -1, expected more"), None),
        (lambda: end_with("error: two\nlines"), "traceback"),
        (lambda: end_with("no such line"), "traceback"),
        (lambda: end_with(3), "traceback"),
        (fail, "traceback"),
        (connect, "traceback"),
        (fill_memory, "traceback"),
        (lambda: time.sleep(60), "hang"),
    ],
)
def test_how_a_step_ends_decides_the_verdict(tmp_path, step, fault):
    folder = tmp_path / "copy"
    folder.mkdir()
    found = run_step(step, folder, seconds=1.5).fault()
    assert (found and found[0]) == fault


def test_the_table_counts_and_lists_what_failed():
    table = Table()
    table.add("flips", "first", "survived", "the same result")
    table.add("flips", "second", "wrong", "another result")
    header, flips, total = table.rows()
    assert dict(zip(header, flips, strict=True)) == {
        "kind": "flips",
        "tried": "2",
        "survived": "1",
        "noticed by DVC only": "0",
        "lost": "0",
        "silently wrong": "1",
        "tracebacks": "0",
        "hangs": "0",
    }
    assert total[1:] == flips[1:]
    assert table.failures == ["wrong: flips: second: another result"]
