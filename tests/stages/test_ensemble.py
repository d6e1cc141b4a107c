"""The stage that trains ensembles, on real files with tiny images."""

import shutil
from pathlib import Path

import pytest
from joblib.externals.loky import get_reusable_executor

from graft.networks.saved import load_model
from graft.training import loop, members
from stages import ensemble, paths
from tests.small_target import edit_parameters, write_model, write_project


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_project()
    edit_parameters(ensemble={"members": 3})
    write_model(paths.REGULARIZED)
    return tmp_path


@pytest.fixture
def epochs(monkeypatch) -> list[str]:
    """The purposes of the trainings that run in this process, for each epoch."""
    purposes = []
    train_epoch = loop._train_epoch

    def train_and_note(state, train, weights, plan, epoch):
        purposes.append(plan.purpose)
        return train_epoch(state, train, weights, plan, epoch)

    monkeypatch.setattr(loop, "_train_epoch", train_and_note)
    return purposes


def outputs() -> dict[str, bytes]:
    """All files of the model and of the curves, without the time in the curves' summary."""
    found = {}
    for folder in (paths.ENSEMBLE["bagging"], paths.CURVES / "ensemble-bagging"):
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                found[str(path)] = path.read_bytes()
    return found


def test_a_bag_has_the_same_bytes_from_one_and_from_two_processes(
    project, epochs, monkeypatch, capsys
):
    ensemble.main("bagging")
    one = outputs()
    assert epochs == [f"ensemble-bagging/{k}" for k in range(3) for _ in range(2)]
    assert len(load_model(paths.ENSEMBLE["bagging"]).networks) == 3
    curve = paths.CURVES / "ensemble-bagging/plots/metrics/validation_loss.tsv"
    assert str(curve) in one
    assert len(curve.read_text().splitlines()) == 1 + 3 * 3  # a title, and epochs 0 to 2
    for folder in (paths.ENSEMBLE["bagging"], paths.CURVES):
        shutil.rmtree(folder)
    epochs.clear()
    monkeypatch.setenv("GRAFT_WORKERS", "2")
    try:
        ensemble.main("bagging")
    finally:
        get_reusable_executor().shutdown()
    assert epochs == []  # the workers have trained
    assert outputs() == one
    printed = capsys.readouterr().out
    assert "ensemble-bagging: member 3/3" in printed
    assert "resumes" not in printed
    assert not list(paths.CHECKPOINTS.rglob("*.checkpoint"))


def test_a_killed_bag_resumes_with_the_members_that_are_left(project, epochs, monkeypatch):
    ensemble.main("bagging")
    complete = outputs()
    epochs.clear()

    def fail(bag, k):
        if k == 1:
            raise KeyboardInterrupt
        return train_member(bag, k)

    train_member = members._train_member
    with monkeypatch.context() as patch:
        patch.setattr(members, "_train_member", fail)
        with pytest.raises(KeyboardInterrupt):
            ensemble.main("bagging")
    assert epochs == ["ensemble-bagging/0"] * 2
    epochs.clear()
    ensemble.main("bagging")
    assert epochs == [f"ensemble-bagging/{k}" for k in (1, 2) for _ in range(2)]
    assert outputs() == complete


def test_boosting_trains_one_member_after_the_other(project, epochs):
    ensemble.main("boosting")
    assert epochs == [f"ensemble-boosting/{k}" for k in range(3) for _ in range(2)]
