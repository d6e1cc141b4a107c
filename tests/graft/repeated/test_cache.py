"""Units that outlive a killed run."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from graft.repeated import cache
from graft.repeated.cache import Unit, collect_units
from graft.training import checkpoint

MODULES = [Path(cache.__file__)]


def four(worked, killed_in=None):
    """The result of four units, each of which says that it worked; in one of them the process may be killed."""

    def work(k):
        worked.append(k)
        if k == killed_in:
            os.kill(os.getpid(), signal.SIGKILL)
        return {"said": np.full(3, k / 7)}

    found = collect_units(
        "curve", [Unit(f"unit {k}", ["arm", k], MODULES, lambda k=k: work(k)) for k in range(4)]
    )
    return b"".join(arrays["said"].tobytes() for arrays in found)


def test_a_killed_run_goes_on_with_the_units_that_are_left_and_ends_in_the_same_bytes(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    child = os.fork()
    if not child:
        four([], killed_in=2)
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert len(list(cache.FOLDER.rglob("*"))) == 1 + 2
    resumed = []
    found = four(resumed)
    assert resumed == [2, 3]
    assert "curve: training 4/4  unit 3" in capsys.readouterr().out
    monkeypatch.setattr(cache, "FOLDER", tmp_path / "other")
    assert four(resumed) == found and resumed == [2, 3, 0, 1, 2, 3]


@pytest.fixture
def worked(tmp_path, monkeypatch):
    """A function that collects one unit with a key, and says how often it had to work."""
    monkeypatch.chdir(tmp_path)
    times = []

    def work():
        times.append(1)
        return {"said": np.arange(2)}

    def count(key, modules=MODULES):
        (found,) = collect_units("curve", [Unit("unit", key, modules, work)])
        assert found["said"].tolist() == [0, 1]
        return len(times)

    return count


def test_another_key_is_another_unit(worked):
    assert [worked(["a", 1]), worked(["a", 1]), worked(["a", 2]), worked(["a", 1])] == [1, 1, 2, 2]


def test_other_code_is_another_unit(worked):
    assert [worked("a"), worked("a", [Path(checkpoint.__file__)])] == [1, 2]


@pytest.mark.parametrize("left", [b"", b"PK\x03\x04 cut short"])
def test_a_broken_file_is_worked_out_again(worked, left):
    worked("a")
    (kept,) = cache.FOLDER.rglob("*.npz")
    kept.write_bytes(left)
    assert worked("a") == 2
    assert worked("a") == 2
