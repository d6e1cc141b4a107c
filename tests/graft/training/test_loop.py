from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from graft.common.files import InputError
from graft.common.seeds import generator
from graft.data.domain import Domain
from graft.data.task import Samples, Task
from graft.networks.build import build_network
from graft.training import augment, checkpoint
from graft.training.checkpoint import Checkpoint
from graft.training.loop import (
    Plan,
    augmented_loss,
    class_weights,
    fit_network,
    learning_rate,
    logits,
)
from graft.training.penalty import pull_towards
from graft.training.settings import Augment, Recipe, Training

RECIPE = Recipe(epochs=5, lr=0.01, patience=5, transforms=1, l1=0.0, l2=0.0)
TRAINING = Training(
    device="cpu",
    batch=8,
    optimizer="adamw",
    weight_decay=0.0,
    schedule="cosine",
    class_weights="balanced",
)
AUGMENT = Augment(
    flip=0.5, rotate=20.0, scale=0.1, shift=1.0, contrast=0.1, brightness=0.1, noise=0.02
)
PLAN = Plan(RECIPE, TRAINING, AUGMENT, 1, "test")


@pytest.fixture(autouse=True)
def checkpoints(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "FOLDER", tmp_path)
    monkeypatch.setattr(checkpoint, "SAVE_EVERY_S", 0.0)


def samples(count: int, seed: int) -> Samples:
    """Bright squares (malignant, every fourth) or none (benign), in noise."""
    random = generator(seed, "squares")
    labels = np.arange(count) % 4 == 0
    images = random.uniform(0, 0.5, (count, 1, 8, 8))
    images[labels, :, 2:6, 2:6] += 0.3
    images = torch.from_numpy(images.astype(np.float16))
    return Samples(images, torch.from_numpy(labels.astype(np.int64)), np.arange(count))


def task(count: int = 24) -> Task:
    domain = Domain(
        "squares", np.zeros((0, 1, 8, 8), np.float16), pd.DataFrame(), ["benign", "malignant"], {}
    )
    return Task(domain, samples(count, 1), samples(16, 2))


def network(seed: int = 0) -> nn.Module:
    return build_network("resnet", patch=(8, 8), channels=1, classes=2, width=8, seed=seed)


def trained(plan: Plan = PLAN, name: str = "test", **arguments) -> tuple[nn.Module, list]:
    """The trained network and its history."""
    module, history = network(), []
    best = fit_network(module, task(), plan, Checkpoint(name, "key"), history.append, **arguments)
    assert best in history
    return module, history


def best_row(history: list) -> dict:
    return min(history, key=lambda row: row["validation_loss"])


def test_it_learns():
    _, history = trained(
        replace(PLAN, recipe=RECIPE.model_copy(update={"epochs": 15, "patience": 15}))
    )
    assert best_row(history)["validation_accuracy"] == 1 and history[0]["validation_accuracy"] < 1


def test_the_same_plan_gives_the_same_weights_and_another_seed_does_not():
    (one, _), (two, _), (three, _) = (
        trained(replace(PLAN, seed=s), f"run{k}") for k, s in enumerate((1, 1, 2))
    )
    assert torch.equal(one.body.stem.weight, two.body.stem.weight) and not torch.equal(
        one.body.stem.weight, three.body.stem.weight
    )


def test_a_killed_run_resumes_and_ends_in_the_same_weights():
    whole, history = trained(name="whole")

    class Killed(Exception):
        pass

    def kill(row: dict) -> None:
        if row["epoch"] == 3:
            raise Killed

    with pytest.raises(Killed):
        fit_network(network(), task(), PLAN, Checkpoint("killed", "key"), kill)
    rows = []
    resumed = network()
    fit_network(resumed, task(), PLAN, Checkpoint("killed", "key"), rows.append)
    assert rows == history
    assert all(
        torch.equal(a, b) for a, b in zip(whole.parameters(), resumed.parameters(), strict=True)
    )
    assert (
        Checkpoint("killed", "key").load() is not None
        and Checkpoint("killed", "other").load() is None
    )


def test_a_finished_run_is_not_trained_again(monkeypatch):
    module, history = trained()
    monkeypatch.setattr("graft.training.loop._train_epoch", None)  # calling it would raise
    again, rows = trained()
    assert rows == history and torch.equal(module.body.stem.weight, again.body.stem.weight)


HASTY = replace(
    PLAN, recipe=RECIPE.model_copy(update={"lr": 1.0, "epochs": 3})
)  # only makes it worse


def test_a_network_that_solves_the_task_may_stay_as_it_came():
    module, history = trained(replace(HASTY, keep_start=True))
    assert best_row(history)["epoch"] == 0 and torch.equal(
        module.body.stem.weight, network().body.stem.weight
    )


def test_otherwise_the_best_epoch_of_training_is_kept():
    module, history = trained(HASTY)
    losses = [row["validation_loss"] for row in history]
    assert losses[0] < min(losses[1:]) and not torch.equal(
        module.body.stem.weight, network().body.stem.weight
    )
    outputs = logits(module, task().validation)
    weights = class_weights(task(), "balanced")
    loss = nn.functional.cross_entropy(outputs, task().validation.labels, weights)
    assert loss.item() == pytest.approx(min(losses[1:]))


def test_patience_stops_early():
    _, history = trained(
        replace(
            PLAN,
            recipe=RECIPE.model_copy(update={"lr": 1.0, "epochs": 50, "patience": 2}),
            keep_start=True,
        )
    )
    assert history[-1]["epoch"] - best_row(history)["epoch"] == 2


def test_a_strong_pull_holds_the_network_where_it_came_from():
    module, still = network(), network()
    names = [name for name, _ in module.named_parameters()]
    distance = []
    for weight in (0.0, 10.0):
        module = network()
        plan = replace(PLAN, pull=pull_towards(still, names, weight, "l2"))
        fit_network(module, task(), plan, Checkpoint(f"pull{weight}", "key"), lambda row: None)
        distance.append(
            sum(
                (a - b).square().sum()
                for a, b in zip(module.parameters(), still.parameters(), strict=True)
            )
        )
    assert distance[1] < distance[0] / 4


def test_l1_and_l2_shrink_the_weights():
    plain, _ = trained(name="plain")
    for penalty in ("l1", "l2"):
        strict, _ = trained(replace(PLAN, recipe=RECIPE.model_copy(update={penalty: 0.1})), penalty)
        norms = [sum(p.abs().sum() for p in module.parameters()) for module in (strict, plain)]
        assert norms[0] < norms[1]


def test_the_augmented_loss_by_hand():
    """The loss is the image's mean. Two samples, 0.2 and 0.6; two transforms add 0.1 and 0.3 to both.

    (1/2)(0.2 + 0.6) + (1/2)[(0.3 + 0.7)/2 + (0.5 + 0.9)/2] = 0.4 + 0.6.
    """
    images = torch.tensor([0.2, 0.6]).view(2, 1, 1, 1).expand(2, 1, 4, 4)
    still = torch.eye(2, 3).expand(2, 2, 3)
    shifts = [
        augment.Transform(still, torch.ones(2), torch.full((2,), b), torch.zeros(2), 0)
        for b in (0.1, 0.3)
    ]
    assert augmented_loss(lambda x: x.mean((1, 2, 3)), images, shifts).item() == pytest.approx(1.0)
    assert augmented_loss(lambda x: x.mean((1, 2, 3)), images, []).item() == pytest.approx(0.4)


def test_class_weights_by_hand():
    # 24 samples, 18 benign and 6 malignant: 24 / (2·18) and 24 / (2·6).
    assert class_weights(task(), "balanced").tolist() == pytest.approx([2 / 3, 2])
    assert class_weights(task(), "none").tolist() == [1, 1]


def test_sample_weights_of_zero_are_not_learnt_from():
    """Whatever the malignant images show, the weights end the same."""
    weights = (task().train.labels == 0).float() * 4 / 3
    module, _ = trained(name="weighted", weights=weights)
    other = network()
    changed = replace(task(), train=replace(task().train, images=task().train.images.clone()))
    changed.train.images[task().train.labels == 1] = 0
    fit_network(
        other, changed, PLAN, Checkpoint("changed", "key"), lambda row: None, weights=weights
    )
    assert torch.equal(module.head.weight, other.head.weight)


def test_the_schedule_by_hand():
    assert learning_rate(RECIPE, "cosine", 0.5) == pytest.approx(0.005)
    assert learning_rate(RECIPE, "cosine", 1.0) == pytest.approx(0)
    assert learning_rate(RECIPE, "constant", 0.9) == 0.01


def test_a_loss_that_runs_away_is_one_line():
    with pytest.raises(InputError, match="lr 1e\\+30"):
        trained(replace(PLAN, recipe=RECIPE.model_copy(update={"lr": 1e30})))
