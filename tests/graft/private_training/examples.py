"""A private training that takes a tenth of a second, on the images of `tests.squares`."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from graft.data.task import Task
from graft.keys.stream import SecretStream
from graft.private_training.budget import Budget
from graft.private_training.train import PrivateRun, Steps, private_plan, train_privately
from graft.training.state import Row
from tests.squares import PLAN, network, task

KEY = "a key of the tests of private training"
EPOCHS = 3
STEPS = 12
PATIENTS = 12  # of two lesions each
BUDGET = Budget(
    PATIENTS, sampling_rate=0.25, steps=STEPS, noise_multiplier=0.7, clip=1.0, delta=0.01
)


def two_lesions_each(made: Task) -> Task:
    """The task with two neighbouring lesions for each patient."""
    patients = np.array([f"p{row // 2:02}" for row in range(len(made.train))])
    return replace(made, train=replace(made.train, patients=patients))


def make_run(
    folder: Path, key: str = KEY, budget: Budget = BUDGET, made: Task | None = None
) -> PrivateRun:
    """A private training of a network with fresh weights, whose checkpoints are in `folder`."""
    plan = replace(private_plan(PLAN, EPOCHS, 0.01), checkpoints=folder)
    return PrivateRun(network(), made or two_lesions_each(task()), plan, budget, key)


def make_steps(folder: Path, key: str = KEY, budget: Budget = BUDGET) -> Steps:
    """The steps of such a training, of which none is taken."""
    return Steps(make_run(folder, key, budget), SecretStream(key, "test"))


def trained(run: PrivateRun, log: Callable[[Row], None] = lambda row: None) -> bytes:
    """All weights after the training."""
    train_privately(run, log)
    tensors = run.network.state_dict().values()
    return torch.cat([tensor.detach().cpu().flatten() for tensor in tensors]).numpy().tobytes()
