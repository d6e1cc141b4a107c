"""Training without labels on tiny images: views, resuming, and what stays untouched."""

import copy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from graft.common.files import InputError
from graft.data.domain import Domain
from graft.networks.build import build_network
from graft.networks.classifier import Classifier
from graft.selfsupervised.images import take_images
from graft.selfsupervised.loss import nt_xent
from graft.selfsupervised.settings import SelfSupervise
from graft.selfsupervised.train import (
    Contrast,
    ContrastEpochs,
    plan_contrast,
    train_without_labels,
)
from graft.training.augment import apply
from graft.training.checkpoint import Checkpoint
from graft.training.plan import Plan
from graft.training.settings import Augment, Training
from graft.training.state import State, make_optimizer

CPU = torch.device("cpu")
SETTINGS = SelfSupervise(epochs=4, lr=0.002, batch=8, temperature=0.5, domains="both")
TRAINING = Training(
    device="cpu",
    batch=4,
    optimizer="adamw",
    weight_decay=0.0,
    schedule="cosine",
    class_weights="none",
    memory=0.5,
)
AUGMENT = Augment(flip=0.5, rotate=10, scale=0.1, shift=1, contrast=0.1, brightness=0.1, noise=0.02)


class KilledError(Exception):
    pass


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def samples(memory: float = 0.5):
    images = np.random.default_rng(0).random((20, 1, 8, 8)).astype(np.float16)
    images[::2, :, 2:6, 2:6] = 1
    index = pd.DataFrame({"patient": [f"p{row}" for row in range(20)]})
    return take_images(
        [(Domain("lung", images, index, ["a", "b"], {}), np.arange(20))], CPU, memory
    )


def network(seed: int = 0) -> Classifier:
    return build_network("resnet", patch=[8, 8], channels=1, classes=2, width=8, seed=seed)


def plan(folder: Path, **changed: float) -> Plan:
    settings = SETTINGS.model_copy(update=changed)
    return plan_contrast(settings, TRAINING, AUGMENT, 42, "self_supervise", folder)


def train(folder: Path, memory: float = 0.5, log=lambda row: None, **changed: float):
    trained = network()
    row = train_without_labels(trained, samples(memory), plan(folder, **changed), 0.5, log)
    return trained, row


def equal(first: Classifier, second: Classifier) -> bool:
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(one, other) for one, other in pairs)


def test_the_loss_is_that_of_two_transforms_of_each_image(tmp_path):
    contrast = Contrast(network(), seed=1)
    still = plan(tmp_path, lr=1e-12)
    state = State(contrast, make_optimizer(contrast, still.recipe, still.training), {}, [])
    epochs = ContrastEpochs(state, samples(), still, 0.5)
    row = epochs.run(1)
    images = epochs.train.images[epochs.inputs.rows].float()
    total = 0.0
    for start in range(0, 20, 8):  # the last batch has four images
        batch = slice(start, start + 8)
        views = []
        for m in range(2):
            drawn = epochs.inputs.transforms.map(lambda tensor, m=m, b=batch: tensor[m, b])
            views.append(apply(images[batch].clone(), drawn, epochs.bank))
        projected = contrast(torch.cat(views))
        total += nt_xent(projected, 0.5).item() * len(images[batch])
    assert row["train_loss"] == pytest.approx(total / 20, rel=1e-5)


def test_it_learns_and_leaves_the_head_alone(tmp_path):
    rows = []
    trained, last = train(tmp_path, log=rows.append, epochs=12)
    assert last == rows[-1]
    assert [row["epoch"] for row in rows] == list(range(1, 13))
    assert last["train_loss"] < rows[0]["train_loss"] - 0.1
    fresh = network()
    assert torch.equal(trained.head.weight, fresh.head.weight)
    assert not torch.equal(trained.body.stem.weight, fresh.body.stem.weight)


def test_a_killed_training_resumes_and_ends_in_the_same_bytes(tmp_path, monkeypatch, capsys):
    whole, row = train(tmp_path / "whole")

    def kill_after_two(row):
        if row["epoch"] == 2:
            raise KilledError

    monkeypatch.setattr(Checkpoint, "due", lambda checkpoint: True)
    with pytest.raises(KilledError):
        train(tmp_path / "killed", log=kill_after_two)
    rows = []
    resumed, last = train(tmp_path / "killed", log=rows.append)
    assert "self_supervise: resumes after epoch 1" in capsys.readouterr().out
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert last == row
    assert equal(resumed, whole)
    again, _ = train(tmp_path / "killed")
    assert equal(again, whole)


def test_images_that_stay_in_their_file_give_the_same_bytes(tmp_path):
    in_memory, _ = train(tmp_path / "a", memory=0.5)
    in_file, _ = train(tmp_path / "b", memory=0.0)
    assert equal(in_memory, in_file)


def test_another_temperature_does_not_resume_from_the_checkpoint(tmp_path, capsys):
    train(tmp_path)
    start = network()
    before = copy.deepcopy(start.state_dict())
    rows = []
    train_without_labels(start, samples(), plan(tmp_path), 5.0, rows.append)
    assert len(rows) == 4
    assert not torch.equal(before["body.stem.weight"], start.body.stem.weight)
    assert rows[-1]["train_loss"] != train(tmp_path)[1]["train_loss"]


def test_a_loss_that_is_not_finite_is_one_line(tmp_path):
    broken = network()
    with torch.no_grad():
        broken.body.stem.weight.fill_(torch.nan)
    with pytest.raises(InputError, match="self_supervise: the loss became nan .* in epoch 1"):
        train_without_labels(broken, samples(), plan(tmp_path), 0.5, lambda row: None)
