"""Attacks on the first stages; `python -m benchmarks.campaign` makes hundreds on the pipeline."""

import re
import socket
import sys
import time
from collections.abc import Iterable
from itertools import islice

import pytest

from benchmarks.campaign import project
from benchmarks.campaign.attempts import Attempt, Ended, Table, run_step
from benchmarks.campaign.command import make_attempts
from benchmarks.campaign.damaged import plan_damage, write_forms, write_inputs
from benchmarks.campaign.disks import plan_disks
from benchmarks.campaign.hostile import plan_hostile
from benchmarks.campaign.kills import plan_kills
from benchmarks.campaign.kinds import OTHER_BYTES, Kind
from benchmarks.campaign.parameters import plan_parameters
from benchmarks.campaign.raw import read_form, write_form
from benchmarks.campaign.stage_kills import plan_stage_kills
from benchmarks.campaign.verdicts import judge, lost_files
from graft.common.files import InputError

SEED = 1
EARLY = ("parameters", "preprocess liver", "split liver")
FORMS = (".nii", ".mhd", "npy", "png")


@pytest.fixture(scope="module", autouse=True)
def environment():
    with pytest.MonkeyPatch.context() as patch:
        for name, value in project.ENVIRONMENT.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def early(tmp_path_factory):
    """The first stages of a run on a few patients."""
    found = project.write_project(tmp_path_factory.mktemp("campaign"), lungs=1, livers=16)
    project.import_stages(EARLY)
    read_once(tmp_path_factory.mktemp("once"))
    project.run_stages(found, EARLY)
    write_forms(found, FORMS)
    return found


def read_once(folder) -> None:
    """Read a volume here, so that no forked step has to import what this imports."""
    write_form(folder / "raw", ".nii")
    read_form(folder / "raw", ".nii", folder / "read")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished tiny run with raw data of every form."""
    found = project.prepare(tmp_path_factory.mktemp("campaign"))
    write_inputs(found)
    return found


def some(attempts: Iterable[Attempt], pattern: str, number: int) -> list[Attempt]:
    """The first attempts whose places match a pattern."""
    matching = (attempt for attempt in attempts if re.search(pattern, attempt.place))
    return list(islice(matching, number))


def assert_survives(attempts: Iterable[Attempt], folder) -> None:
    attempts = list(attempts)
    table = make_attempts(attempts, folder, jobs=2)
    assert sum(counts.total() for counts in table.counts.values()) > 0
    assert table.failures == []


@pytest.mark.parametrize("flips", [False, True])
def test_damaged_raw_data_and_domains(early, tmp_path, flips):
    read_by = rf"read by (form ({'|'.join(FORMS)})|split liver)$"
    assert_survives(some(plan_damage(early, SEED, flips), read_by, 6), tmp_path)


def test_full_disks_early_in_the_pipeline(early, tmp_path):
    assert_survives(some(plan_disks(early, SEED), "^(preprocess|split) liver ", 2), tmp_path)


def test_wrong_parameters_of_the_target(early, tmp_path):
    places = r"^(domains\.liver|preprocess)\."
    assert_survives(some(plan_parameters(early, SEED), places, 5), tmp_path)


def test_hostile_raw_files(early, tmp_path):
    attempts = some(plan_hostile(early), rf"by form ({'|'.join(FORMS)})$", 100)
    assert_survives(attempts[::5], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("flips", [False, True])
def test_damaged_files(finished, tmp_path, flips):
    assert_survives(islice(plan_damage(finished, SEED, flips), 200), tmp_path)


@pytest.mark.slow
def test_killed_stages(finished, tmp_path):
    assert_survives(plan_stage_kills(finished, SEED, 40), tmp_path)


@pytest.mark.slow
def test_killed_runs_of_dvc(finished, tmp_path):
    assert_survives(plan_kills(finished, SEED, 10), tmp_path)


@pytest.mark.slow
def test_full_disks(finished, tmp_path):
    assert_survives(islice(plan_disks(finished, SEED), 16), tmp_path)


@pytest.mark.slow
def test_wrong_parameters(finished, tmp_path):
    assert_survives(islice(plan_parameters(finished, SEED), 60), tmp_path)


@pytest.mark.slow
def test_hostile_files(finished, tmp_path):
    assert_survives(plan_hostile(finished), tmp_path)


def end_with(status: object) -> None:
    sys.exit(status)


def fail() -> None:
    raise InputError("not caught")


def connect() -> None:
    socket.create_connection(("192.0.2.1", 80), timeout=1)


def fill_memory() -> None:
    bytearray(1 << 40)


def compute_for_ever() -> None:
    while True:
        pass


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
        (compute_for_ever, "hang"),
    ],
)
def test_how_a_step_ends_decides_the_verdict(tmp_path, step, fault):
    folder = tmp_path / "copy"
    folder.mkdir()
    found = run_step(step, folder, seconds=1).fault()
    assert (found and found[0]) == fault


def test_a_step_that_waits_for_ever_is_a_hang(tmp_path):
    folder = tmp_path / "copy"
    folder.mkdir()
    assert run_step(lambda: time.sleep(60), folder, patience=0.2).fault()[0] == "hang"


@pytest.mark.parametrize(
    ("ended", "way", "result", "verdict"),
    [
        (Ended(0, "", ""), "delete", "same", "survived"),
        (Ended(0, "", ""), "delete", "other", "wrong"),
        (Ended(0, "", ""), "flip", "other", "survived"),
        (Ended(1, "", "error: x: cannot be read\n"), "delete", "none", "survived"),
        (Ended(1, "", "Traceback\nKeyError: 'x'\n"), "delete", "same", "traceback"),
        (Ended(None, "", ""), "delete", "same", "hang"),
    ],
)
def test_another_result_is_wrong_unless_nothing_in_the_file_shows_it(
    tmp_path, ended, way, result, verdict
):
    kind = Kind("*.raw", ("form .mhd",), unseen=OTHER_BYTES)
    found, expected = {"a": result}, {"a": "same"}
    assert judge(ended, kind, way, found, expected, tmp_path)[0] == verdict


def test_files_that_a_step_does_not_write_must_stay():
    before = {"data/a": "1", "data/b": "1", "models/c": "1", "metrics/curves/d": "1"}
    after = {"data/a": "1", "models/c": "2"}
    assert lost_files(before, after, ("models",)) == ["data/b"]


def test_the_table_counts_and_lists_what_failed():
    table = Table()
    table.add(Attempt("flips", "first", lambda folder: ("", ""), times=3), "survived", "the same")
    table.add(Attempt("flips", "second", lambda folder: ("", "")), "wrong", "another result")
    header, flips, total = table.rows()
    assert dict(zip(header, flips, strict=True)) == {
        "kind": "flips",
        "tried": "4",
        "survived": "3",
        "lost": "0",
        "silently wrong": "1",
        "tracebacks": "0",
        "hangs": "0",
    }
    assert total[1:] == flips[1:]
    assert table.failures == ["wrong: flips: second: another result"]
