import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn, optim

from graft.training.checkpoint import Checkpoint
from graft.training.settings import Recipe, Training
from graft.training.state import State, make_optimizer, restore_state, save_state

ROOT = Path(__file__).parents[3]
RECIPE = Recipe(epochs=1, lr=0.1, patience=1, transforms=0, l1=0.0, l2=0.0)
TRAINING = Training(
    device="cpu",
    batch=8,
    optimizer="adamw",
    weight_decay=0.01,
    schedule="constant",
    class_weights="none",
    memory=0.5,
)


def linear(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Linear(3, 2)


def train_one_step(state: State) -> None:
    state.optimizer.zero_grad()
    state.network(torch.ones(4, 3)).square().sum().backward()
    state.optimizer.step()


@pytest.fixture
def state() -> State:
    """The state of a network after one step, whose best weights are those of another network."""
    network = linear(seed=1)
    optimizer = make_optimizer(network, RECIPE, TRAINING)
    state = State(network, optimizer, linear(seed=2).state_dict(), [{"epoch": 0}, {"epoch": 1}])
    train_one_step(state)
    return state


def test_a_restored_state_trains_to_the_same_weights(state, tmp_path):
    save_state(state, Checkpoint(tmp_path, "key"))
    network = linear(seed=3)
    optimizer = make_optimizer(network, RECIPE, TRAINING)
    restored = restore_state(network, optimizer, Checkpoint(tmp_path, "key"))
    assert restored is not None
    assert restored.network is network
    assert restored.history == state.history
    for name, tensor in state.best.items():
        assert torch.equal(restored.best[name], tensor)
    train_one_step(state)
    train_one_step(restored)
    for name, tensor in state.network.state_dict().items():
        assert torch.equal(network.state_dict()[name], tensor)


def test_nothing_is_restored_without_a_checkpoint(tmp_path):
    network = linear(seed=1)
    before = network.weight.clone()
    optimizer = make_optimizer(network, RECIPE, TRAINING)
    assert restore_state(network, optimizer, Checkpoint(tmp_path, "key")) is None
    assert torch.equal(network.weight, before)


@pytest.mark.parametrize(("name", "kind"), [("adam", optim.Adam), ("adamw", optim.AdamW)])
def test_the_optimizers_are_those_of_pytorch(name, kind):
    ours, theirs = linear(seed=1), linear(seed=1)
    training = TRAINING.model_copy(update={"optimizer": name})
    optimizers = (
        make_optimizer(ours, RECIPE, training),
        kind(theirs.parameters(), lr=RECIPE.lr, weight_decay=TRAINING.weight_decay),
    )
    for network, optimizer in zip((ours, theirs), optimizers, strict=True):
        for _ in range(3):
            train_one_step(State(network, optimizer, {}, []))
    assert torch.allclose(ours.weight, theirs.weight)


def test_training_does_not_import_the_compiler_of_pytorch():
    code = """
import sys
from tests.graft.training.test_state import *
optimizer = make_optimizer(network := linear(1), RECIPE, TRAINING)
train_one_step(State(network, optimizer, {}, []))
sys.exit("torch._dynamo" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
