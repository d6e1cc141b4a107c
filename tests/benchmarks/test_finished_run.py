"""How two finished runs are compared."""

import json
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from benchmarks.finished_run import (
    compare_files,
    compare_numbers,
    differing_texts,
    read_finished_run,
    walk_values,
)
from graft.common.files import InputError
from tests.commands import run_module

METRICS = {
    "models": {"bagging": {"auroc": 0.8, "external": None}},
    "helped": True,
    "curve": [0.5, 1],
    "verdict": "helps",
}


def write_run(folder: Path, metrics: dict = METRICS, weights: bytes = b"weights") -> Path:
    """Write what a run leaves: a model, predictions and metrics."""
    for path, content in {
        "models/ensemble/bagging/weights.safetensors": weights,
        "metrics/predictions.csv": b"sample,probability\n0,0.5\n",
        "metrics/metrics.json": json.dumps(metrics).encode(),
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


@pytest.fixture
def first(tmp_path) -> Path:
    return write_run(tmp_path / "first")


def compare(*folders: Path) -> CompletedProcess:
    return run_module("benchmarks.same_bytes", "--folders", *map(str, folders))


def test_values_have_paths():
    assert dict(walk_values(METRICS)) == {
        "models.bagging.auroc": 0.8,
        "models.bagging.external": None,
        "helped": True,
        "curve.0": 0.5,
        "curve.1": 1,
        "verdict": "helps",
    }


def test_equal_runs_are_the_same(first, tmp_path):
    done = compare(first, write_run(tmp_path / "second"))
    assert done.returncode == 0, done.stderr
    assert "2 of 2 files are the same" in done.stdout
    assert "5 of 5 numbers are the same" in done.stdout


def test_other_weights_differ(first, tmp_path):
    second = write_run(tmp_path / "second", weights=b"other weights")
    found = compare_files(read_finished_run(first), read_finished_run(second))
    assert found.same == ["metrics/predictions.csv"]
    assert found.different == ["models/ensemble/bagging/weights.safetensors"]
    done = compare(first, second)
    assert done.returncode == 1
    assert "DIFFERS  models/ensemble/bagging/weights.safetensors: " in done.stdout


@pytest.mark.parametrize("changed", [{"helped": 1}, {"helped": None}, {"helped": "yes"}])
def test_a_number_of_another_value_or_kind_differs(first, tmp_path, changed):
    second = write_run(tmp_path / "second", METRICS | changed)
    found = compare_numbers(read_finished_run(first), read_finished_run(second))
    assert found.different == ["helped"]
    assert compare(first, second).returncode == 1


def test_an_integer_is_the_same_as_an_equal_float(first, tmp_path):
    second = write_run(tmp_path / "second", METRICS | {"curve": [0.5, 1.0]})
    assert not compare_numbers(read_finished_run(first), read_finished_run(second)).different


def test_a_missing_number_counts_and_an_added_one_does_not(first, tmp_path):
    second = write_run(tmp_path / "second", METRICS | {"seed": 42})
    done = compare(first, second)
    assert done.returncode == 0
    assert "added    seed, which only the second run has" in done.stdout
    done = compare(second, first)
    assert done.returncode == 1
    assert "MISSING  seed, which only the first run has" in done.stdout


def test_texts_that_differ_are_listed_but_do_not_count(first, tmp_path):
    second = write_run(tmp_path / "second", METRICS | {"verdict": "harms"})
    runs = read_finished_run(first), read_finished_run(second)
    assert differing_texts(*runs) == ["verdict"]
    assert not compare_numbers(*runs).different
    done = compare(first, second)
    assert done.returncode == 0
    assert "text     verdict" in done.stdout


def test_a_folder_without_a_run_is_an_error(tmp_path):
    with pytest.raises(InputError, match="expected a finished run"):
        read_finished_run(tmp_path)


def test_two_ways_of_comparing_are_one_too_many(first):
    words = ["--folders", str(first), str(first), "--against", "HEAD"]
    done = run_module("benchmarks.same_bytes", *words)
    assert done.returncode == 1
    assert done.stderr.startswith("error: --against and --folders: got both")


def test_an_unknown_revision_is_an_error():
    done = run_module("benchmarks.same_bytes", "--against", "no-such-revision")
    assert done.returncode == 1
    assert "error: " in done.stderr
    assert "Traceback" not in done.stderr
