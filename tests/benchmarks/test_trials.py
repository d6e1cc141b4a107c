"""Trainings on draws of a few labelled patients, and the table of strategies that they give."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import strategies
from benchmarks.strategies import (
    COMPARED,
    choose,
    deep_table,
    format_mean,
    make_cohort,
    report_gains,
    result_table,
)
from benchmarks.trials import Outcome, Variant, run_trials
from graft.common.files import InputError
from graft.config.parameters import load_parameters
from tests.small_target import ROOT, write_model, write_target

SHORT = {"epochs": 1, "head": "pretrained"}
VARIANTS = [Variant("scratch", {"epochs": 1}), Variant("l2-sp", SHORT, 0.01)]


@pytest.fixture
def clone(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_target()
    write_model(Path("models/pretrained"))
    return tmp_path


def test_all_variants_train_on_the_same_draws_and_resume(clone, capsys):
    work = clone / "work"
    scratch, transfer = run_trials(clone, work, VARIANTS, patients=6, draws=2, seed=7)
    for outcome in (scratch, transfer):
        assert list(outcome.aurocs) == ["test", "external"]
        for aurocs in outcome.aurocs.values():
            assert aurocs.shape == (2,)
            assert (aurocs >= 0).all() and (aurocs <= 1).all()
        assert (outcome.seconds > 0).all()
    assert scratch.aurocs["test"].tolist() != transfer.aurocs["test"].tolist()
    capsys.readouterr()
    results = sorted((work / "trainings").iterdir())
    assert len(results) == 4
    written = [path.stat().st_mtime_ns for path in results]
    _, again = run_trials(clone, work, VARIANTS, patients=6, draws=2, seed=7)
    assert again.seconds.tolist() == transfer.seconds.tolist()
    assert [path.stat().st_mtime_ns for path in results] == written
    more = run_trials(clone, work, VARIANTS[:1], patients=6, draws=3, seed=7)[0]
    assert more.aurocs["test"][:2].tolist() == scratch.aurocs["test"].tolist()


def test_more_patients_than_there_are(clone):
    with pytest.raises(InputError, match="--patients: got 99, expected at most 24"):
        run_trials(clone, clone / "work", VARIANTS, patients=99, draws=1, seed=7)


def test_every_strategy_gets_a_row(clone):
    variants = [replace(each, finetune={**each.finetune, "epochs": 1}) for each in COMPARED]
    outcomes = run_trials(clone, clone / "work", variants, patients=6, draws=1, seed=7)
    lines = list(result_table(variants, outcomes))
    assert len(lines) == 2 + len(strategies.STRATEGIES) + 1


def test_several_seeds_are_an_ensemble(clone):
    (outcome,) = run_trials(clone, clone / "work", VARIANTS[1:], 6, draws=2, seed=7, seeds=2)
    assert len(outcome.seconds) == 4
    assert outcome.aurocs["test"].shape == outcome.together["test"].shape == (2,)
    assert outcome.together["test"].tolist() != outcome.aurocs["test"].tolist()


def outcome(test: list[float], seconds: float) -> Outcome:
    aurocs = {"test": np.array(test)}
    together = {"test": np.array(test) + 0.01}
    return Outcome(aurocs, together, np.full(len(test), seconds))


def test_the_table_by_hand(capsys):
    variants = [Variant(name) for name in ("scratch", "source", "l2-sp", "frozen")]
    outcomes = [
        outcome([0.6, 0.7], 5.0),
        outcome([0.7, 0.7], 1.0),
        outcome([0.8, 0.8], 5.0),
        outcome([0.7, 0.9], 1.4),
    ]
    *_, scratch, source, _, frozen = result_table(variants, outcomes)
    assert scratch == "| scratch | 0.650 ± 0.050 |  | -0.150 ± 0.050 | 4.0 | 1.00 |"
    assert source == "| source | 0.700 ± 0.000 | +0.050 ± 0.050 | -0.100 ± 0.000 | 0.0 | 0.00 |"
    assert frozen == "| frozen | 0.800 ± 0.100 | +0.150 ± 0.050 | +0.000 ± 0.100 | 0.4 | 0.10 |"
    assert list(deep_table(variants, outcomes))[-1] == (
        "| frozen | 0.810 ± 0.100 | +0.010 ± 0.000 |"
    )
    report_gains(variants, outcomes, 20)
    assert "l2-sp: graft 0.8, from scratch 0.65; ratio 1.23; gain +0.150 ± 0.050" in (
        capsys.readouterr().out
    )


def test_rows_are_chosen_by_their_titles():
    assert [each.title for each in choose(COMPARED, ["l2-sp", "scratch"])] == ["scratch", "l2-sp"]
    assert choose(COMPARED, None) == COMPARED
    with pytest.raises(InputError, match="--only: got 'sratch', expected one of scratch, "):
        choose(COMPARED, ["sratch"])


def test_one_draw_has_no_standard_error():
    assert format_mean(np.array([0.5])) == "0.500"


def test_the_cohort_has_a_seed_and_sizes_of_its_own(tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr(strategies, "run_dvc", lambda folder, *words: ran.append(words))
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    make_cohort(tmp_path, source_patients=40, target_patients=60)
    found = load_parameters(tmp_path / "params.yaml")
    default = load_parameters(ROOT / "params.yaml")
    assert found.seed == strategies.SEED != default.seed
    assert found.phantom["lung"].patients == 40
    assert found.phantom["liver"].patients == 60
    assert found.domains["liver"].split.labelled == 1
    assert ran == [("repro", "pretrain", "split@liver")]
