"""The stage that trains ensembles, on real files with tiny images."""

import shutil
from pathlib import Path

import pytest
from joblib.externals.loky import get_reusable_executor

from graft.networks.out_of_fold import fold_folder
from graft.networks.saved import load_model
from graft.training import loop
from graft.training.members import Ensembling
from stages import ensemble, paths
from tests.small_target import edit_parameters, write_model, write_project, write_target

FOLDS = (1, 2, 3)  # of a target without validation part


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_project()
    edit_parameters(ensemble={"members": 3})
    for fold in (0, *FOLDS):
        write_model(fold_folder(paths.REGULARIZED, fold))
    return tmp_path


@pytest.fixture
def saved(monkeypatch) -> list[str]:
    """The checkpoints that trainings in this process save: one for each, because they are short."""
    found = []
    save_state = loop.save_state

    def save_and_note(state, checkpoint):
        found.append(checkpoint.path.name)
        save_state(state, checkpoint)

    monkeypatch.setattr(loop, "save_state", save_and_note)
    return found


def outputs() -> dict[str, bytes]:
    """All files of the model and of the curves, by their paths."""
    found = {}
    for folder in (paths.ENSEMBLE["bagging"], paths.CURVES / "ensemble-bagging"):
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                found[str(path)] = path.read_bytes()
    return found


def test_a_bag_has_the_same_bytes_from_one_and_from_two_processes(
    project, saved, monkeypatch, capsys
):
    write_target(validation="train")
    monkeypatch.setenv("GRAFT_WORKERS", "1")
    ensemble.main("bagging")
    one = outputs()
    assert len(set(saved)) == 3 * 4  # of all patients, and outside of each of three folds
    assert len(load_model(paths.ENSEMBLE["bagging"]).networks) == 3
    curves = paths.CURVES / "ensemble-bagging/plots/metrics"
    lines = {path.stem: len(path.read_text().splitlines()) for path in curves.iterdir()}
    assert lines == {  # a title, and epochs 1 and 2 of each member of all patients
        "train_loss": 1 + 3 * 2,
        "penalty": 1 + 3 * 2,
        "validation_loss": 1,
        "validation_accuracy": 1,
    }
    for folder in (paths.ENSEMBLE["bagging"], paths.CURVES):
        shutil.rmtree(folder)
    saved.clear()
    monkeypatch.setenv("GRAFT_WORKERS", "2")
    try:
        ensemble.main("bagging")
    finally:
        get_reusable_executor().shutdown()
    assert saved == []  # the workers have trained
    assert outputs() == one
    printed = capsys.readouterr().out
    assert "ensemble-bagging: training 12/12" in printed
    assert "resumes" not in printed
    assert not list(paths.CHECKPOINTS.rglob("*.checkpoint"))


def test_a_killed_bag_resumes_with_the_members_that_are_left(project, saved, monkeypatch):
    write_target(validation="train")
    monkeypatch.setenv("GRAFT_WORKERS", "1")
    ensemble.main("bagging")
    complete = outputs()
    saved.clear()

    def fail(ensembling, fold, k):
        if (fold, k) == (2, 1):
            raise KeyboardInterrupt
        return train_member(ensembling, fold, k)

    train_member = Ensembling.train_member
    with monkeypatch.context() as patch:
        patch.setattr(Ensembling, "train_member", fail)
        with pytest.raises(KeyboardInterrupt):
            ensemble.main("bagging")
    assert len(saved) == 3 + 3 + 1  # all patients, outside of fold 1, and one member of fold 2
    saved.clear()
    ensemble.main("bagging")
    assert len(saved) == 2 + 3
    assert outputs() == complete


def test_a_bag_with_a_validation_part_trains_each_member_once(project, saved):
    ensemble.main("bagging")
    assert len(set(saved)) == 3
    assert not (paths.ENSEMBLE["bagging"] / "folds").exists()
    assert len(load_model(paths.ENSEMBLE["bagging"]).networks) == 3
    curve = paths.CURVES / "ensemble-bagging/plots/metrics/validation_loss.tsv"
    assert len(curve.read_text().splitlines()) == 1 + 3 * 3  # a title, and epochs 0 to 2


def test_boosting_trains_one_member_after_the_other(project, saved):
    ensemble.main("boosting")
    assert len(set(saved)) == 3
    assert len(load_model(paths.ENSEMBLE["boosting"]).networks) == 3
