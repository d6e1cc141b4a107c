import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from graft.common.files import InputError
from graft.data.arrays import load_array
from graft.data.image_rows import ImageRows
from graft.data.task import Samples, Task
from graft.networks.device import use_deterministic_algorithms
from graft.training import checkpoint
from graft.training.checkpoint import Checkpoint
from graft.training.loop import fit_network, logits
from graft.training.loss import class_weights
from graft.training.penalty import l1, pull_towards
from graft.training.plan import Plan
from graft.training.state import Row
from tests.squares import PLAN, RECIPE, network, task

STEEP = RECIPE.model_copy(update={"lr": 1.0, "epochs": 3})  # training only makes it worse


class KilledError(Exception):
    """A kill in the middle of a training."""


@pytest.fixture(autouse=True)
def checkpoint_after_every_epoch(monkeypatch):
    monkeypatch.setattr(checkpoint, "SAVE_EVERY_S", 0.0)


@pytest.fixture
def train(tmp_path):
    """A function that trains a fresh network, and returns it with its history."""

    def run(
        plan: Plan = PLAN, name: str = "test", data: Task | None = None, **arguments
    ) -> tuple[nn.Module, list[Row]]:
        module = network()
        history = []
        saved = Checkpoint(tmp_path / name, "key")
        best = fit_network(module, data or task(), plan, saved, history.append, **arguments)
        assert best in history
        return module, history

    return run


def best_row(history: list[Row]) -> Row:
    return min(history, key=lambda row: row["validation_loss"])


def squared_distance(one: nn.Module, other: nn.Module) -> float:
    total = 0.0
    for mine, theirs in zip(one.parameters(), other.parameters(), strict=True):
        total += (mine - theirs).square().sum().item()
    return total


def test_training_solves_a_simple_task(train):
    longer = RECIPE.model_copy(update={"epochs": 15, "patience": 15})
    _, history = train(replace(PLAN, recipe=longer))
    assert history[0]["validation_accuracy"] < 1
    assert best_row(history)["validation_accuracy"] == 1


def test_the_same_plan_gives_the_same_weights_and_another_seed_gives_others(train):
    one, _ = train(name="one")
    again, _ = train(name="again")
    other, _ = train(replace(PLAN, seed=2), "other")
    assert torch.equal(one.body.stem.weight, again.body.stem.weight)
    assert not torch.equal(one.body.stem.weight, other.body.stem.weight)


def test_a_killed_run_resumes_and_ends_in_the_same_weights(train, tmp_path):
    complete, history = train(name="complete")

    def kill(row: Row) -> None:
        if row["epoch"] == 3:
            raise KilledError

    with pytest.raises(KilledError):
        fit_network(network(), task(), PLAN, Checkpoint(tmp_path / "killed", "key"), kill)
    resumed, rows = train(name="killed")
    assert rows == history
    assert squared_distance(complete, resumed) == 0
    assert Checkpoint(tmp_path / "killed", "key").load() is not None
    assert Checkpoint(tmp_path / "killed", "other").load() is None


@pytest.fixture
def stored(tmp_path) -> Task:
    """The same task with its images in a file, in which they are not neighbours."""
    known = task()

    def in_file(name: str, samples: Samples) -> Samples:
        images = samples.images.numpy()
        np.save(tmp_path / name, np.repeat(images, 2, axis=0)[::-1])
        rows = 2 * np.arange(len(images))[::-1]
        return replace(samples, images=ImageRows(load_array(tmp_path / name), rows))

    train = in_file("train.npy", known.train)
    return replace(known, train=train, validation=in_file("validation.npy", known.validation))


def test_images_in_a_file_give_the_same_weights_as_images_in_memory(train, stored):
    in_memory, expected = train()
    from_file, history = train(name="stored", data=stored)
    assert history == expected
    assert squared_distance(in_memory, from_file) == 0
    assert stored.train.sha256() == task().train.sha256()


def test_a_killed_run_on_images_in_a_file_resumes_and_ends_in_the_same_weights(
    train, stored, tmp_path
):
    complete, history = train()

    def kill(row: Row) -> None:
        if row["epoch"] == 3:
            raise KilledError

    with pytest.raises(KilledError):
        fit_network(network(), stored, PLAN, Checkpoint(tmp_path / "killed", "key"), kill)
    resumed, rows = train(name="killed", data=stored)
    assert rows == history
    assert squared_distance(complete, resumed) == 0


def test_a_file_cut_short_during_training_ends_in_one_line(stored, tmp_path):
    def cut(row: Row) -> None:
        if row["epoch"] == 1:
            os.truncate(tmp_path / "train.npy", 1000)

    saved = Checkpoint(tmp_path / "cut", "key")
    with pytest.raises(InputError, match=r"train.npy: was changed while it was read"):
        fit_network(network(), stored, PLAN, saved, cut)


@pytest.mark.gpu
def test_images_in_a_file_give_the_same_weights_on_a_gpu(stored, tmp_path):
    use_deterministic_algorithms()
    cuda = torch.device("cuda")
    weights = []
    for name in ("memory", "stored"):
        parts = {}
        for part in ("train", "validation"):
            samples = getattr(stored, part)
            samples = replace(samples, labels=samples.labels.to(cuda))
            parts[part] = samples.on_device() if name == "memory" else samples
        module = network().to(cuda)
        saved = Checkpoint(tmp_path / name, "key")
        fit_network(module, replace(stored, **parts), PLAN, saved, lambda row: None)
        weights.append(module)
    assert squared_distance(*weights) == 0


def test_a_finished_run_does_not_train_again(train, monkeypatch):
    module, history = train()
    monkeypatch.setattr("graft.training.epoch.Epochs.run", None)  # calling it would raise
    again, rows = train()
    assert rows == history
    assert torch.equal(module.body.stem.weight, again.body.stem.weight)


def test_with_keep_start_the_untrained_network_may_be_the_best(train):
    module, history = train(replace(PLAN, recipe=STEEP, keep_start=True))
    assert best_row(history)["epoch"] == 0
    assert torch.equal(module.body.stem.weight, network().body.stem.weight)


def test_without_keep_start_the_best_epoch_of_training_is_kept(train):
    module, history = train(replace(PLAN, recipe=STEEP))
    losses = [row["validation_loss"] for row in history]
    assert losses[0] < min(losses[1:])
    assert not torch.equal(module.body.stem.weight, network().body.stem.weight)
    outputs = logits(module, task().validation)
    weights = class_weights(task(), "balanced")
    loss = nn.functional.cross_entropy(outputs, task().validation.labels, weights)
    assert loss.item() == pytest.approx(min(losses[1:]))


def test_patience_stops_early(train):
    impatient = STEEP.model_copy(update={"epochs": 50, "patience": 2})
    _, history = train(replace(PLAN, recipe=impatient, keep_start=True))
    assert history[-1]["epoch"] - best_row(history)["epoch"] == 2


@pytest.fixture
def unvalidated() -> Task:
    """The same task with nothing to validate on."""
    known = task()
    nothing = known.validation
    nothing = replace(
        nothing, images=nothing.images[:0], labels=nothing.labels[:0], patients=np.array([])
    )
    return replace(known, validation=nothing)


def test_without_validation_all_epochs_run_and_the_last_weights_stay(train, unvalidated):
    plan = replace(PLAN, recipe=STEEP.model_copy(update={"patience": 1}), keep_start=True)
    module, history = train(plan, data=unvalidated)
    assert history[0] == {"epoch": 0}
    for row in history[1:]:
        assert set(row) == {"epoch", "train_loss", "penalty"}
    # With validation the same steps lead there, and the last epoch may not be the best.
    longer = replace(PLAN, recipe=STEEP.model_copy(update={"patience": 9}))
    _, validated = train(longer, "validated")
    assert [row["epoch"] for row in history] == [0, 1, 2, 3]
    for row, other in zip(history[1:], validated[1:], strict=True):
        assert row.items() <= other.items()
    outputs = logits(module, task().validation)
    weights = class_weights(task(), "balanced")
    loss = nn.functional.cross_entropy(outputs, task().validation.labels, weights)
    assert loss.item() == pytest.approx(validated[-1]["validation_loss"])


def test_a_killed_run_without_validation_resumes_and_ends_in_the_same_weights(
    train, unvalidated, tmp_path
):
    complete, history = train(name="complete", data=unvalidated)

    def kill(row: Row) -> None:
        if row["epoch"] == 3:
            raise KilledError

    with pytest.raises(KilledError):
        fit_network(network(), unvalidated, PLAN, Checkpoint(tmp_path / "killed", "key"), kill)
    resumed, rows = train(name="killed", data=unvalidated)
    assert rows == history
    assert squared_distance(complete, resumed) == 0


def test_a_strong_pull_keeps_the_network_near_its_start(train):
    start = network()
    names = [name for name, _ in start.named_parameters()]
    distances = []
    for weight in (0.0, 10.0):
        plan = replace(PLAN, pull=pull_towards(start, names, weight, "l2"))
        module, _ = train(plan, f"pull {weight}")
        distances.append(squared_distance(module, start))
    assert distances[1] < distances[0] / 4


@pytest.mark.parametrize("penalty", ["l1", "l2"])
def test_l1_and_l2_shrink_the_weights(train, penalty):
    plain, _ = train(name="plain")
    penalised, _ = train(replace(PLAN, recipe=RECIPE.model_copy(update={penalty: 0.1})), penalty)
    assert l1(penalised) < l1(plain)


def test_samples_with_the_weight_zero_do_not_change_the_network(train):
    weights = (task().train.labels == 0).float() * 4 / 3
    module, _ = train(name="weighted", weights=weights)
    changed = task()
    changed.train.images[changed.train.labels == 1] = 0
    other, _ = train(name="changed", data=changed, weights=weights)
    assert torch.equal(module.head.weight, other.head.weight)


def test_an_infinite_loss_raises_an_error_that_names_the_learning_rate(train):
    with pytest.raises(InputError, match="lr 1e\\+30"):
        train(replace(PLAN, recipe=RECIPE.model_copy(update={"lr": 1e30})))
