"""The stages that train repeatedly, on real files with tiny images."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from graft.common.files import InputError, write_sealed
from graft.repeated import trainings
from graft.repeated_evaluation.folds import read_folds
from graft.strategies import linear_probe
from stages import cross_validate, learning_curve, paths
from tests.processed import read_parts
from tests.small_target import CLASSES, edit_parameters, write_model, write_project, write_target

ROOT = Path(__file__).parents[2]
CURVE = paths.REPEATED["learning_curve"]
FOLDS = paths.REPEATED["cross_validation"]


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_project()
    write_model(paths.PRETRAINED)
    paths.SOURCE_LIST.parent.mkdir(parents=True)
    write_sealed(paths.SOURCE_LIST, {"lung": "models/pretrained"})
    return tmp_path


@pytest.fixture
def trained(monkeypatch) -> list[str]:
    """The arms of the trainings that ran."""
    arms = []
    run = trainings.RepeatedTrainings._run

    def run_and_note(self, arm, *rest):
        arms.append(arm)
        return run(self, arm, *rest)

    monkeypatch.setattr(trainings.RepeatedTrainings, "_run", run_and_note)
    return arms


def test_both_write_empty_tables_if_they_are_off(project, trained):
    edit_parameters(learning_curve={"draws": 0})
    learning_curve.main()
    cross_validate.main()
    assert CURVE.read_text().splitlines()[:-1] == [
        "share,draw,patients,lesions,arm,sample,p_benign,p_malignant"
    ]
    assert FOLDS.read_text().splitlines()[:-1] == [
        "repeat,fold,arm,source,strategy,lambda,part,sample,p_benign,p_malignant"
    ]
    assert trained == []


def test_one_draw_more_keeps_the_first_one(project, trained, capsys):
    edit_parameters(learning_curve={"shares": [1.0, 0.3], "draws": 1})
    learning_curve.main()
    table = pd.read_csv(CURVE, comment="#")
    labelled = table.drop_duplicates("share")[["share", "patients"]].to_numpy().tolist()
    assert labelled == [[0.3, 6], [1.0, 24]]
    assert set(table["arm"]) == {"scratch", "l2-sp", "frozen"}
    assert len(trained) == 6
    printed = capsys.readouterr().out
    assert "learning_curve: training 6/6  frozen, 100% of the labels, draw 1" in printed
    assert "epoch" not in printed
    edit_parameters(learning_curve={"draws": 2})
    learning_curve.main()
    assert len(trained) == 12
    twice = pd.read_csv(CURVE, comment="#")
    first = twice[twice["draw"] == 1].reset_index(drop=True)
    pd.testing.assert_frame_equal(first, table)
    assert not list(paths.CHECKPOINTS.rglob("*.safetensors"))


def test_a_second_run_trains_nothing_and_writes_the_same_bytes(project, trained):
    edit_parameters(learning_curve={"shares": [], "draws": 1})
    learning_curve.main()
    before = CURVE.read_bytes()
    learning_curve.main()
    assert len(trained) == 3
    assert CURVE.read_bytes() == before


def run_until(line: str, workers: int, kill: Callable[[psutil.Process], object]) -> tuple[int, str]:
    """Run the learning curve, kill something at a line: the exit status and the errors."""
    command = [sys.executable, "-m", "stages.learning_curve"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "GRAFT_WORKERS": str(workers)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as stage:
        for printed in stage.stdout:
            if line in printed:
                kill(psutil.Process(stage.pid))
        return stage.wait(), stage.stderr.read()


def kill_worker(stage: psutil.Process) -> None:
    workers = [child for child in stage.children() if "popen_loky" in str(child.cmdline())]
    assert len(workers) == 2
    workers[0].kill()


def test_a_killed_worker_and_a_killed_stage_resume_and_end_in_the_same_bytes(project, trained):
    edit_parameters(learning_curve={"shares": [0.3, 1.0], "draws": 2})
    learning_curve.main()
    complete = CURVE.read_bytes()
    CURVE.unlink()
    Path(".graft").rename("elsewhere")
    status, errors = run_until("training 3/12", 2, kill_worker)
    assert status == 1
    assert errors.startswith("error: a worker process was killed")
    assert errors.count("\n") == 1
    finished = len(list(paths.TRAININGS.rglob("*.result")))
    assert 3 <= finished < 12
    line = f"training {finished + 1}/12"
    status, errors = run_until(line, 1, psutil.Process.kill)
    assert (status, errors) == (-signal.SIGKILL, "")
    assert not CURVE.exists()
    trained.clear()
    learning_curve.main()
    assert len(trained) < 12 - finished
    assert CURVE.read_bytes() == complete


def test_each_patient_is_tested_once_in_each_repeat(project, trained, capsys):
    edit_parameters(cross_validation={"folds": 3, "repeats": 1, "lambdas": [0.01, 1.0]})
    cross_validate.main()
    table = pd.read_csv(FOLDS, comment="#", keep_default_na=False)
    scratch = table[(table["arm"] == "scratch") & (table["part"] == "test")]
    inside = np.flatnonzero(read_parts("liver") != "external")
    assert sorted(scratch["sample"]) == sorted(inside)
    assert sorted(set(table["lambda"])) == [0.0, 0.01, 1.0]  # 0 for scratch, which has none
    assert len(trained) == 9
    last = "cross_validate: training 9/9  repeat 1, fold 3: l2-sp from lung, λ = 1"
    assert last in capsys.readouterr().out
    edit_parameters(cross_validation={"repeats": 2})
    cross_validate.main()
    assert len(trained) == 18
    twice = pd.read_csv(FOLDS, comment="#", keep_default_na=False)
    first = twice[twice["repeat"] == 1].reset_index(drop=True)
    pd.testing.assert_frame_equal(first, table)


def test_without_validation_part_the_evaluation_can_choose_by_inner_folds(
    project, trained, monkeypatch
):
    monkeypatch.setattr(linear_probe, "STRENGTHS", (1.0,))  # one regression instead of 31
    write_target(validation="train")
    edit_parameters(cross_validation={"folds": 2, "repeats": 1, "strategies": ["frozen", "source"]})
    cross_validate.main()
    assert len(trained) == 2 * (1 + 2 * (1 + 5))
    inside = np.flatnonzero(read_parts("liver") != "external")
    folds, candidates = read_folds(FOLDS, CLASSES, inside)
    named = [(each.source, each.strategy, each.weight) for each in candidates]
    assert named == [("lung", "frozen", 0.0), ("lung", "source", 0.0)]
    for fold in folds:
        outside = set(inside) - set(fold.scratch.samples["test"])
        for predicted in fold.candidates:
            assert set(predicted.samples["validation"]) == outside


def test_an_official_test_part_is_not_divided(project):
    write_target(given="yes")
    edit_parameters(cross_validation={"folds": 2, "repeats": 1})
    cross_validate.main()
    table = pd.read_csv(FOLDS, comment="#")
    tested = set(table["sample"][table["part"] == "test"])
    assert tested == set(np.flatnonzero(read_parts("liver").isin(["train", "validation"])))


def test_too_many_folds_leave_no_file(project):
    edit_parameters(cross_validation={"folds": 30, "repeats": 1})
    with pytest.raises(InputError, match="cross_validation.folds: got 30, but 20 of"):
        cross_validate.main()
    assert not FOLDS.exists()
