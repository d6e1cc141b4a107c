"""Each gate of a promotion, with what it must not let pass."""

import shutil
from pathlib import Path

import pytest
from dvc.repo import Repo
from ruamel.yaml import YAML

from graft.common.files import InputError
from graft.registry.gates import check_leaks, check_verdict, read_gates
from tests.graft.registry.project import (
    CHOSEN,
    clone,
    commit_run,
    done,
    git,
    graft,
    run_again,
    tags,
)

VERSION = ("--version", "v1.0.0")


def failures(*words: str) -> list[str]:
    """The gates that fail, as lines without their mark."""
    ended = graft("promote", *VERSION, *words)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert tags(Path()) == []
    return [line[6:] for line in ended.stdout.splitlines() if line.startswith("FAIL")]


def test_the_commit_must_have_everything(project):
    (project / "notes.txt").write_text("new")
    (project / "dvc.yaml").write_text((project / "dvc.yaml").read_text() + "\n")
    (found,) = failures()
    assert found == "commit: dvc.yaml, notes.txt: not committed, expected a clean working tree"


@pytest.mark.parametrize(
    ("file", "content", "stage"),
    [
        ("params.yaml", "lambda: 0.5\n", "evaluate"),
        ("data/split.txt", "another split", "evaluate split"),
        ("dvc.yaml", None, "split"),
    ],
)
def test_no_stage_may_have_changed_since_the_run(project, file, content, stage):
    path = project / file
    path.write_text(content or path.read_text().replace("cmd: split", "cmd: divide"))
    git(project, "commit", "-q", "--allow-empty", "-am", "a change after the run")
    (found,) = failures()
    assert found.startswith(f"pipeline: {stage}: changed since the run; run `dvc repro`")


def test_a_clone_needs_only_the_model_and_its_metrics(project, tmp_path, monkeypatch):
    here = clone(project, tmp_path / "clone")
    monkeypatch.chdir(here)
    with Repo() as repo:
        repo.cache.local.path = str(project / ".dvc/cache/files/md5")
        repo.checkout(["models/best", "metrics/metrics.json"])
    shutil.copytree(project / ".dvc/cache", here / ".dvc/cache")
    assert "pass  pipeline: 3 stages up to evaluate" in done("promote", *VERSION, "--dry-run")
    lock = YAML().load(here / "dvc.lock")
    lock["stages"]["read"]["outs"][0]["md5"] = "0" * 32  # read again, but nothing after it
    YAML().dump(lock, here / "dvc.lock")
    git(here, "commit", "-qam", "half a run")
    (found,) = failures()
    assert found.startswith("pipeline: split: changed since the run")


def test_inputs_that_several_stages_write_must_be_there(project):
    pipeline = YAML().load(project / "dvc.yaml")
    pipeline["stages"]["evaluate"]["deps"] = ["data"]
    YAML().dump(pipeline, project / "dvc.yaml")
    commit_run(project)
    done("promote", *VERSION, "--dry-run")
    (project / "data/raw.txt").unlink()
    (found,) = failures()
    assert found.startswith("pipeline: data/raw.txt: not here, so a change could not be seen")


def test_an_edited_model_does_not_pass(project):
    path = project / "models/best/weights.safetensors"
    path.chmod(0o644)
    path.write_bytes(b"others")
    pipeline, outputs, metrics = failures()
    assert pipeline.startswith("pipeline: evaluate: changed since the run")
    assert outputs.startswith("outputs: models/best: is modified, expected what dvc.lock has")
    assert metrics.startswith("metrics: ")
    assert "was changed after it was written" in metrics


def test_a_model_that_the_cache_lacks_does_not_pass(project):
    shutil.rmtree(project / ".dvc/cache/files")
    (found,) = failures()
    assert found.startswith("outputs: models/best: is not in DVC's cache; run `dvc commit mod")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("models/best", "models/best: is deleted, expected what dvc.lock has; run `dvc pull`"),
        ("metrics/metrics.json", "metrics/metrics.json: is deleted, expected what dvc.lock has"),
    ],
)
def test_a_missing_output_is_one_line(project, name, message):
    path = project / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    outputs, metrics = failures()
    assert outputs.startswith(f"outputs: {message}")
    assert f"{path.name}" in metrics
    assert "is missing, expected a file" in metrics


def test_metrics_of_another_model_do_not_pass(project):
    run_again(
        project, change=lambda metrics: metrics["hashes"]["models"].update({CHOSEN: "1" * 64})
    )
    (found,) = failures()
    assert found.startswith("metrics: metrics.json: is about the weights 111111111111, but best ha")


@pytest.mark.parametrize(
    ("check", "metrics", "expected"),
    [
        (check_leaks, {"checks": []}, "metrics.json lists no check for leaks"),
        (
            check_leaks,
            {"checks": [{"name": "patients", "domain": "liver", "passed": False}]},
            "failed: patients .liver., expected every check for leaks to pass",
        ),
        (check_verdict, {"verdict": "harms"}, "transfer harms, expected another verdict, or scr"),
        (check_verdict, {"verdict": None}, "metrics.json has no verdict on transfer"),
    ],
)
def test_what_the_run_found_must_be_good(check, metrics, expected):
    with pytest.raises(InputError, match=expected):
        check(metrics)


def test_harm_by_transfer_does_not_matter_to_a_model_from_scratch():
    found = check_verdict({"verdict": "harms", "chosen": {"model": "scratch"}})
    assert found == "transfer harms, but the chosen model is scratch"


def test_what_the_run_found_is_a_gate_of_promotion(project):
    run_again(project, change=lambda metrics: metrics.update(verdict="harms", checks=[]))
    assert [line.partition(":")[0] for line in failures()] == ["leaks", "verdict"]


def test_the_gates_of_a_file_replace_the_default_one(project):
    bounds = "{metric: models.chosen.test.auroc.value, least: 0.81}, {metric: models.deeep}"
    (project / "gates.yaml").write_text(f"gates: [{bounds}]")
    git(project, "add", "gates.yaml")
    git(project, "commit", "-qm", "gates")
    low, missing = failures("--gates", "gates.yaml")
    assert low == "models.chosen.test.auroc.value: is 0.8, expected at least 0.81"
    assert missing == "models.deeep: is missing, expected a number"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gates: [{metric: a, most: 1}]", "gates.0.most"),
        ("gates: [{metric: a, least: .nan}]", "gates.0.least"),
        ("gate: []", "gates"),
        ("[", "is not YAML"),
    ],
)
def test_a_wrong_file_of_gates_is_one_line(tmp_path, text, expected):
    (tmp_path / "gates.yaml").write_text(text)
    with pytest.raises(InputError, match=f"^.*gates.yaml: .*{expected}"):
        read_gates(tmp_path / "gates.yaml")


def test_a_metric_file_that_is_no_output_of_dvc_is_one_line(project):
    (project / "models/metrics.json").write_text("{}")
    assert any(
        "models/metrics.json" in line for line in failures("--metrics", "models/metrics.json")
    )
