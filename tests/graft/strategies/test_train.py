"""Each strategy by a short training, and what it changes and does not change."""

from dataclasses import replace

import pytest
import torch

from graft.common.files import InputError
from graft.data.task import Task
from graft.networks.build import build_network
from graft.networks.device import use_deterministic_algorithms
from graft.strategies import wise_ft
from graft.strategies.train import STRATEGIES, fit_strategy
from graft.training import epoch
from graft.training.loop import logits
from graft.training.penalty import pull_towards
from graft.training.plan import Plan
from graft.transfer.carry import Carried
from graft.transfer.start import Start
from tests.squares import PLAN, RECIPE, task

SHAPE = {"name": "resnet", "patch": (8, 8), "channels": 1, "classes": 2, "width": 8}
TRAINED = ["l2-sp", "lp-ft", "wise-ft", "delta"]


def make_start(head: str = "pretrained", weight: float = 0.01) -> Start:
    network = build_network(**SHAPE, seed=5)
    names = [name for name, _ in network.named_parameters()]
    if head != "pretrained":
        names = [name for name in names if not name.startswith("head")]
    pull = pull_towards(network, names, weight, "l2")
    return Start(network, dict(SHAPE), pull, Carried(names, [], []), head)


def make_plan(tmp_path, **recipe: float) -> Plan:
    return replace(PLAN, recipe=RECIPE.model_copy(update=recipe), checkpoints=tmp_path)


def without_validation(whole: Task) -> Task:
    nobody = whole.validation.take(whole.train.patients[:0])
    return replace(whole, validation=nobody)


def train(
    strategy: str | None, tmp_path, start: Start | None = None, on: Task | None = None
) -> tuple:
    start = start or make_start()
    row = fit_strategy(strategy, start, on or task(), make_plan(tmp_path), show=False)
    return start.network, row


def distance(network: torch.nn.Module, part: str) -> float:
    """How far the weights of a part of a network are from those of its start."""
    fresh = dict(build_network(**SHAPE, seed=5).named_parameters())
    moved = 0.0
    for name, parameter in network.named_parameters():
        if name.startswith(part):
            moved += (parameter - fresh[name]).square().sum().item()
    return moved


@pytest.mark.parametrize("strategy", TRAINED)
def test_a_training_learns_and_gives_the_same_bytes_twice(strategy, tmp_path):
    network, row = train(strategy, tmp_path / "one")
    again, _ = train(strategy, tmp_path / "two")
    for mine, theirs in zip(network.parameters(), again.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    unchanged = train("source", tmp_path)[1]
    assert row["validation_loss"] < unchanged["validation_loss"]
    assert distance(network, "body") > 0


@pytest.mark.gpu
def test_the_captured_step_gives_the_same_bytes_as_the_eager_one(tmp_path, monkeypatch):
    use_deterministic_algorithms()
    cuda = torch.device("cuda")
    whole = task(58)
    parts = {}
    for name in ("train", "validation"):
        part = getattr(whole, name)
        parts[name] = replace(part, images=part.images.to(cuda), labels=part.labels.to(cuda))

    def train_on_gpu(folder) -> torch.nn.Module:
        start = make_start()
        reference = {name: tensor.to(cuda) for name, tensor in start.pull.reference.items()}
        start = replace(
            start,
            network=start.network.to(cuda),
            pull=replace(start.pull, reference=reference),
        )
        return train("delta", folder, start, replace(whole, **parts))[0]

    captured = train_on_gpu(tmp_path / "captured")
    monkeypatch.setattr(epoch, "CapturedStep", lambda batch: lambda step, images: step(images))
    eager = train_on_gpu(tmp_path / "eager")
    for mine, theirs in zip(captured.parameters(), eager.parameters(), strict=True):
        assert torch.equal(mine, theirs)


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_every_strategy_works_without_validation(strategy, tmp_path):
    network, row = train(strategy, tmp_path, on=without_validation(task(12)))
    assert "validation_loss" not in row
    assert torch.isfinite(logits(network, task().train)).all()


def test_frozen_changes_the_head_only_and_source_changes_nothing(tmp_path):
    network, row = train("frozen", tmp_path)
    assert distance(network, "body") == 0
    assert distance(network, "head") > 0
    unchanged, of_source = train("source", tmp_path)
    assert distance(unchanged, "") == 0
    assert row["epoch"] == of_source["epoch"] == 0
    assert row["validation_loss"] < of_source["validation_loss"]


def test_lp_ft_starts_from_the_probe_and_is_pulled_towards_it(tmp_path):
    probe, _ = train("frozen", tmp_path)
    strong = make_start(weight=1e6)
    tuned, _ = train("lp-ft", tmp_path, strong)
    kept, _ = train("l2-sp", tmp_path, make_start(weight=1e6))
    assert torch.allclose(tuned.head.weight, probe.head.weight, atol=0.1)
    assert not torch.allclose(kept.head.weight, probe.head.weight, atol=0.1)


def test_l2_sp_with_another_head_is_lp_ft(tmp_path):
    one, _ = train("l2-sp", tmp_path, make_start("probe"))
    other, _ = train("lp-ft", tmp_path, make_start("probe"))
    for mine, theirs in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_source_needs_the_head_of_the_source(tmp_path):
    with pytest.raises(InputError, match="finetune.strategy: got 'source'"):
        train("source", tmp_path, make_start("probe"))
    with pytest.raises(InputError, match="finetune.head: got 'new'"):
        train("wise-ft", tmp_path, make_start("new"))


def test_without_a_strategy_a_network_trains_from_scratch(tmp_path):
    scratch = Start(build_network(**SHAPE, seed=5), dict(SHAPE))
    train(None, tmp_path / "one", scratch)
    free, _ = train("l2-sp", tmp_path / "two", make_start(weight=0.0))
    for mine, theirs in zip(scratch.network.parameters(), free.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_wise_ft_lies_between_its_start_and_l2_sp(tmp_path):
    network, row = train("wise-ft", tmp_path)
    tuned, of_tuned = train("l2-sp", tmp_path)
    share = row["fine_tuned_share"]
    assert share in wise_ft.SHARES
    assert row["validation_loss"] <= of_tuned["validation_loss"]
    expected = wise_ft.mix(make_start().network.state_dict(), tuned.state_dict(), share)
    for name, tensor in network.state_dict().items():
        assert torch.allclose(tensor, expected[name])


def test_the_mean_of_weights_by_hand():
    start, tuned = {"w": torch.tensor([1.0, 0.0])}, {"w": torch.tensor([3.0, 1.0])}
    assert wise_ft.mix(start, tuned, 0.0)["w"].tolist() == [1.0, 0.0]
    assert wise_ft.mix(start, tuned, 0.25)["w"].tolist() == [1.5, 0.25]
    assert wise_ft.mix(start, tuned, 1.0)["w"].tolist() == [3.0, 1.0]


def test_the_share_is_that_of_the_lowest_total_loss_and_the_smaller_of_equal_ones():
    one, two = [3.0] * 11, [3.0] * 11
    one[2], two[2], one[7] = 1.0, 2.5, 0.5
    assert wise_ft.best_share([one, two]) == 0.2  # 3.5, as at 0.7
    assert wise_ft.best_share([]) == 0.5


def test_no_inner_network_of_wise_ft_trains_on_the_patients_that_it_predicts(monkeypatch, tmp_path):
    trained = []
    fine_tune = wise_ft._fine_tune
    losses = wise_ft._losses_by_share

    def record_training(start, inner, *rest):
        trained.append(set(inner.train.patients))
        return fine_tune(start, inner, *rest)

    def compare(network, ends, held_out, weights):
        assert not trained[-1] & set(held_out.patients)
        return losses(network, ends, held_out, weights)

    monkeypatch.setattr(wise_ft, "_fine_tune", record_training)
    monkeypatch.setattr(wise_ft, "_losses_by_share", compare)
    whole = without_validation(task(12))
    whole = replace(whole, train=replace(whole.train, patients=whole.train.patients // 2))
    train("wise-ft", tmp_path, on=whole)
    assert [len(patients) for patients in trained] == [4, 5, 5, 5, 5, 6]
