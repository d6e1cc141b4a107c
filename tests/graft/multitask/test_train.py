"""Training on all tasks of a small domain, and on each alone."""

import pickle
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from graft.data.domain import Domain, write_domain
from graft.data.reference import DomainReference
from graft.data.task import read_task
from graft.multitask import train
from graft.multitask.saved import load_tasks
from graft.multitask.train import TaskTraining
from graft.networks.saved import load_model
from graft.networks.settings import Network
from graft.training.fitting import parent_reference
from graft.training.loop import Log
from graft.transfer.start import fit_start, start_from_scratch
from tests.graft.multitask.examples import CPU
from tests.processed import write_parts
from tests.small_target import write_target
from tests.squares import PLAN, RECIPE
from tests.trained import write_trained

FILES = ("card.json", "tasks.safetensors", "weights.safetensors")


@pytest.fixture
def training(tmp_path, monkeypatch) -> TaskTraining:
    """48 lesions with a rating that is unknown for some."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRAFT_WORKERS", "1")
    monkeypatch.setattr("graft.training.checkpoint.SAVE_EVERY_S", 0.0)
    write_target()
    folder = Path("data/processed/liver")
    domain = Domain.read(folder)
    ratings = np.where(np.arange(48) % 5 == 0, "", (np.arange(48) % 3).astype(str))
    table = pd.DataFrame({"rating": ratings})
    parts = np.array(["train", "validation", "test"])[np.arange(48) // 2 % 3]
    domain = replace(domain, task_kinds={"rating": "ordinal"}, tasks=table)
    write_domain(Path("data/rated"), replace(domain, images=np.array(domain.images)))
    write_parts("liver", parts)
    parent = Path("models/self_supervised")
    write_trained(parent)
    return TaskTraining(
        domain=DomainReference.to(Path("data/rated")),
        split=Path("data/splits/liver.csv"),
        begin=partial(start_from_scratch, Network(name="resnet", width=8), seed=1),
        plan=replace(
            PLAN,
            recipe=RECIPE.model_copy(update={"epochs": 2}),
            purpose="pretrain",
            checkpoints=Path("checkpoints"),
        ),
        weighting="equal",
        device=CPU,
        parent=parent_reference(parent),
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


def fit(training: TaskTraining, name: str, log: Log | None = None) -> dict[str, bytes]:
    folder = Path(name)
    folder.mkdir()
    training.train(folder, log)
    return contents(folder)


def test_a_killed_training_ends_in_the_same_bytes(training):
    whole = fit(training, "whole")
    training.clear()

    def kill(row: dict) -> None:
        if row["epoch"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(training, "killed", kill)
    assert list(Path("checkpoints").rglob("*.checkpoint"))
    assert fit(training, "resumed") == whole


def test_the_network_trained_on_the_label_alone_is_that_of_a_source_without_tasks(training):
    training.train_alone(Path())
    alone = load_model(Path("alone/label")).networks[0]
    task = read_task(Path("data/rated"), training.split, CPU)
    start = training.begin(task=task, device=CPU)
    fit_start(start, task, replace(training.plan, checkpoints=Path("single")), show=False)
    assert torch.equal(alone.head.weight, start.network.head.weight)
    for name, tensor in start.network.saved_tensors().items():
        assert torch.equal(alone.saved_tensors()[name], tensor), name


def test_each_task_is_trained_alone_from_the_same_start(training, monkeypatch):
    starts = []

    def record(network, task, plan, log, show):
        starts.append({name: t.clone() for name, t in network.main.state_dict().items()})
        return {}

    monkeypatch.setattr(train, "train_network", record)
    fit(training, "all")
    training.train_alone(Path("all"))
    assert len(starts) == 3
    for start in starts:
        assert all((start[name] == tensor).all() for name, tensor in starts[0].items())
    label, rating = (load_tasks(Path("all/alone") / name) for name in ("label", "rating"))
    assert label.card["classes"] == ["benign", "malignant"]
    assert label.network.columns == []
    assert rating.card["classes"] == []  # nothing trained their head
    assert [column["name"] for column in rating.network.columns] == ["rating"]
    assert rating.card["parent"] == training.parent


def test_trainings_on_one_task_resume_and_clear_their_checkpoints(training):
    Path("first").mkdir()
    training.train_alone(Path("first"))
    assert len(list(Path("checkpoints").rglob("*.checkpoint"))) == 2
    Path("again").mkdir()
    training.train_alone(Path("again"))  # from the checkpoints
    for name in ("label", "rating"):
        assert contents(Path("first/alone") / name) == contents(Path("again/alone") / name)
    training.clear()
    assert not list(Path("checkpoints").rglob("*.checkpoint"))


def test_a_training_can_be_sent_to_another_process(training):
    sent = pickle.loads(pickle.dumps(partial(train._train_alone, training)))
    assert sent.args[0].domain == training.domain
    assert sent.args[0].begin.func is start_from_scratch
    assert len(pickle.dumps(training)) < 10_000
