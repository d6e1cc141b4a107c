from dataclasses import replace

import pytest
import torch
from torch import nn

from graft.networks.device import use_deterministic_algorithms
from graft.training import checkpoint, epoch
from graft.training.checkpoint import Checkpoint
from graft.training.graph import WARM_UP, CapturedStep, Step
from graft.training.loop import fit_network
from graft.training.penalty import pull_towards
from graft.training.state import Row
from tests.squares import PLAN, RECIPE, TRAINING, network, samples, task

CUDA = torch.device("cuda")
BATCH = 5  # of 58 samples: the last batch is smaller, and an epoch has more than WARM_UP steps

pytestmark = pytest.mark.gpu


class KilledError(Exception):
    """A kill in the middle of a training."""


@pytest.fixture(autouse=True)
def reproducible(monkeypatch):
    use_deterministic_algorithms()
    monkeypatch.setattr(checkpoint, "SAVE_EVERY_S", 0.0)


def train(folder, log=lambda row: None) -> nn.Module:
    """Train on the GPU with every kind of loss and penalty."""
    module = network().to(CUDA)
    names = [name for name, _ in module.named_parameters() if not name.startswith("head")]
    plan = replace(
        PLAN,
        recipe=RECIPE.model_copy(update={"transforms": 2, "l1": 1e-5, "l2": 1e-4}),
        training=TRAINING.model_copy(update={"batch": BATCH}),
        pull=pull_towards(module, names, 0.01, "l2"),
    )
    parts = {}
    for name, part in (("train", samples(58, 1)), ("validation", samples(16, 2))):
        parts[name] = replace(part, images=part.images.to(CUDA), labels=part.labels.to(CUDA))
    fit_network(module, replace(task(), **parts), plan, Checkpoint(folder, "key"), log)
    return module


def are_equal(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return all(torch.equal(mine, theirs) for mine, theirs in pairs)


def test_the_graph_replays_what_the_step_does_with_new_images():
    total = torch.zeros(3, device=CUDA)
    calls = []

    def step(images: torch.Tensor) -> None:
        calls.append(len(images))
        total.add_(images.sum(0))

    captured = CapturedStep(batch=2)
    for k in range(WARM_UP + 4):
        captured(step, torch.full((2, 3), float(k), device=CUDA))
    captured(step, torch.full((1, 3), 100.0, device=CUDA))  # runs eagerly
    assert calls == [2] * (WARM_UP + 1) + [1]  # one call is the capture
    assert total.tolist() == [2.0 * sum(range(WARM_UP + 4)) + 100] * 3


def call_eagerly(step: Step, images: torch.Tensor) -> None:
    step(images)


def test_two_trainings_give_the_same_bytes(tmp_path):
    assert are_equal(train(tmp_path / "one"), train(tmp_path / "two"))


def test_the_graph_and_eager_steps_give_the_same_bytes(tmp_path, monkeypatch):
    captured = train(tmp_path / "captured")
    monkeypatch.setattr(epoch, "CapturedStep", lambda batch: call_eagerly)
    assert are_equal(captured, train(tmp_path / "eager"))


def test_a_killed_training_resumes_and_ends_in_the_same_bytes(tmp_path):
    def kill(row: Row) -> None:
        if row["epoch"] == 3:
            raise KilledError

    with pytest.raises(KilledError):
        train(tmp_path / "killed", kill)
    assert are_equal(train(tmp_path / "killed"), train(tmp_path / "complete"))
