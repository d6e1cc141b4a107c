"""`graft drift`: its table, its document, its exit codes, and one line for what it cannot use."""

from pathlib import Path

import pytest

from graft.common.documents import check_schema
from graft.common.files import read_json
from graft.drift.document import SCHEMA
from tests.commands import run_module
from tests.graft.drift.models import draw, write_model, write_night


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A model with a reference of 28 lesions, a night like it, and a night of another scanner."""
    monkeypatch.chdir(tmp_path)
    reference = draw(28)
    reference["probability"] = [1 / (1 + 2.718281828**-value) for value in reference["probability"]]
    model = write_model(tmp_path / "models/best", {k: sorted(v) for k, v in reference.items()})
    write_night(tmp_path / "same.json", model, draw(40))
    write_night(tmp_path / "changed.json", model, draw(41, shift=2.0))
    write_night(tmp_path / "short.json", model, draw(3))
    write_night(tmp_path / "mixed.json", "f" * 64, draw(40))
    (tmp_path / "cut.json").write_text('{"predictions": [{"scan"')
    return tmp_path


def test_scans_like_those_of_the_training_raise_no_alarm(folder):
    done = run_module("graft", "drift", "same.json", "--out", "drift.json", "--fail-on-alarm")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].startswith(
        "no alarm (false alarms: at most 0.5 % of nights"
    )
    found = read_json(folder / "drift.json")
    check_schema(found, SCHEMA)
    assert (found["alarm"], found["scans"], found["window"]) == (False, 40, 50)
    names = [test["name"] for test in found["tests"]]
    assert names == ["refused", "intensity_mean", "intensity_sd", "spacing_mm", "probability"]


def test_changed_scans_raise_an_alarm_which_is_an_exit_code_on_request(folder):
    done = run_module("graft", "drift", "same.json", "changed.json", "--window", "50")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].startswith("ALARM: these scans differ from the reference: ")
    done = run_module("graft", "drift", "changed.json", "--fail-on-alarm")
    assert done.returncode == 3
    assert "spacing_mm" in done.stdout.splitlines()[-1]


def test_only_the_last_scans_count(folder):
    words = ["drift", "changed.json", "same.json", "--fail-on-alarm", "--window"]
    assert run_module("graft", *words, "40").returncode == 0
    assert run_module("graft", *words, "81").returncode == 3


def test_too_few_scans_have_an_exit_code_of_their_own(folder):
    done = run_module("graft", "drift", "short.json", "--out", "drift.json")
    assert done.returncode == 4
    expected = "drift: got 3 scans, expected at least 10; add the predictions of earlier nights"
    assert done.stderr == f"error: {expected}\n"
    assert not (folder / "drift.json").exists()


def test_a_window_that_is_always_too_small_is_wrong_usage(folder):
    assert run_module("graft", "drift", "same.json", "--window", "9").returncode == 2
    assert run_module("graft", "drift", "same.json", "--window", "10").returncode == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["mixed.json"], "mixed.json: $.predictions[0].model: is 'ffffffffffff', expected '"),
        (["cut.json"], "cut.json: cannot be read as JSON"),
        (["none.json"], "none.json: is missing, expected a file"),
        (["same.json", "same.json"], "same.json: has the content of same.json"),
        (["same.json", "--model", "none"], "none"),
        (["same.json", "--model", "older"], "older: is missing fitted.json, expected a model that"),
    ],
)
def test_what_cannot_be_used_is_one_line(folder, words, message):
    older = folder / "older"
    older.mkdir()
    for name in ("weights.safetensors", "card.json"):
        (older / name).write_bytes((folder / "models/best" / name).read_bytes())
    done = run_module("graft", "drift", *words, "--out", "drift.json")
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith(f"error: {message}")
    assert not (folder / "drift.json").exists()
