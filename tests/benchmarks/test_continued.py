"""How much a model that continues the fine-tuned network gains, and for how many epochs."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import continued_trainings
from benchmarks.continued import combine, models, score, table
from benchmarks.continued_trainings import Chain, run_chains
from graft.config.parameters import Parameters, load_parameters
from tests.small_target import write_model, write_target

LABELS = np.array([0, 0, 1, 1])


def predict(*disease: float) -> np.ndarray:
    """Probabilities (N, 2) float32 of a network."""
    second = np.array(disease, np.float32)
    return np.stack([1 - second, second], axis=1)


def result(*members: np.ndarray) -> dict[str, np.ndarray]:
    """What a chain gave on one draw, with the same members in each ensemble."""
    found = {"transfer": predict(0.1, 0.6, 0.4, 0.9), "alphas": np.array([3.0, 1.0, 0.0, 4.0])}
    for name, count in (("regularized", 1), ("bagging", 4), ("boosting", 4)):
        found[name] = np.stack(members[:count])
        found[f"seconds.{name}"] = np.array([2.0])
    return found


def test_scores_by_hand():
    scores = score(LABELS, [predict(0.1, 0.6, 0.4, 0.9)], np.array([2.0]))
    assert scores.auroc == pytest.approx([0.75])
    assert scores.log_loss == pytest.approx([-np.log([0.9, 0.4, 0.4, 0.9]).mean()])


def test_a_smaller_ensemble_has_the_first_members():
    members = [predict(*[share] * 4) for share in (0.0, 0.4, 0.8, 1.0)]
    found = result(*members)
    assert combine(found, "bagging", 4)[:, 1] == pytest.approx([0.55] * 4)
    assert combine(found, "bagging", 3)[:, 1] == pytest.approx([0.4] * 4)
    assert combine(found, "boosting", 4)[:, 1] == pytest.approx([(0.4 + 4.0) / 8] * 4)
    assert combine(found, "boosting", 3)[:, 1] == pytest.approx([0.1] * 4)
    titles = [title for title, _ in models(LABELS, [found])]
    bags = ["bagging of 4", "bagging of 3"]
    assert titles == ["regularized", *bags, "boosting of 4", "boosting of 3"]
    assert dict(models(LABELS, [found]))["bagging of 3"].seconds == [1.5]


def test_other_chains_are_compared_with_the_first():
    right = [predict(0.1, 0.2, 0.8, 0.9)] * 4
    wrong = [predict(0.9, 0.8, 0.2, 0.1)] * 4
    chains = (Chain(20, 15), Chain(5, 4))
    rows = list(table(chains, LABELS, [[result(*right)], [result(*wrong)]]))
    assert rows[2].startswith("| `transfer` | 0.750 |")
    assert rows[3].startswith("| regularized, 20 and 15 epochs | 1.000 | +0.250 |  |")
    assert rows[8].startswith("| regularized, 5 and 4 epochs | 0.000 | -0.750 | -1.000 |")


def short_parameters(path: Path) -> Parameters:
    parameters = load_parameters(path)
    finetune = parameters.finetune.model_copy(update={"epochs": 1})
    return parameters.model_copy(update={"finetune": finetune})


def test_chains_continue_the_same_network_and_resume(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_target()
    write_model(Path("models/pretrained"))
    monkeypatch.setattr(continued_trainings, "load_parameters", short_parameters)
    monkeypatch.setattr(continued_trainings, "MEMBERS", 2)
    chains = (Chain(2, 1), Chain(0, 1))
    labels, found = run_chains(tmp_path, tmp_path / "work", chains, patients=6, draws=1, seed=7)
    ((continued,), (from_source,)) = found
    assert (continued["transfer"] == from_source["transfer"]).all()
    assert "regularized" in continued and "regularized" not in from_source
    for method in ("bagging", "boosting"):
        assert continued[method].shape[1:] == (len(labels), 2)
        assert (continued[method] != from_source[method]).any()
    results = sorted((tmp_path / "work/trainings").iterdir())
    written = [path.stat().st_mtime_ns for path in results]
    run_chains(tmp_path, tmp_path / "work", chains, patients=6, draws=1, seed=7)
    assert [path.stat().st_mtime_ns for path in results] == written
