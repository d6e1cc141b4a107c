"""The labels and losses of several tasks in the training loop."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from graft.common.files import InputError
from graft.multitask.labels import take_labels
from graft.multitask.network import MultiTaskNetwork
from graft.multitask.objective import TaskObjective
from graft.networks.device import use_deterministic_algorithms
from graft.training.fitting import train_network
from tests.graft.multitask.examples import CPU, KINDS, ROWS, columns, domain, multitask
from tests.squares import PLAN, TRAINING, network, task


def test_the_weights_of_a_task_are_1_on_average():
    labels = take_labels(domain(), columns(), ROWS, True, CPU)["train"]
    assert labels.weights.mean(0).tolist() == pytest.approx([1, 1, 1])
    unknown = labels.values.isnan()
    assert (labels.weights[unknown] == 0).all()
    # 6 of 24 are round, so each of them weighs 24 / (2 · 6), and the others 24 / (2 · 18).
    assert labels.weights[:2, 1].tolist() == pytest.approx([2, 24 / 36])
    # 20 of 24 ratings are known.
    assert labels.weights[0, 0].item() == pytest.approx(24 / 20)


def test_without_balance_the_classes_weigh_the_same():
    labels = take_labels(domain(), columns(), ROWS, False, CPU)["train"]
    assert labels.weights[:, 1].tolist() == [1] * 24


def test_a_task_that_no_validation_lesion_has_is_named():
    made = domain()
    made.tasks.loc[24:, "rating"] = ""
    with pytest.raises(InputError, match="squares: the task 'rating' has no known value in the 16"):
        take_labels(made, columns(), ROWS, True, CPU)
    rows = ROWS | {"validation": np.zeros(0, int)}
    assert len(take_labels(made, columns(), rows, True, CPU)["validation"].values) == 0


def test_the_loss_is_the_mean_over_the_tasks():
    objective = multitask()
    rows = torch.tensor([0, 7])  # their ratings are 1 and unknown, their volumes 0 and 2
    outputs = torch.zeros(2, objective.classes + 2 + 2 + 1)
    outputs[:, -1] = 0.5
    losses = torch.tensor([0.4, 0.8])
    weights = objective.labels["train"].weights[rows]
    volumes = objective.labels["train"].values[rows, 2]
    half = np.log(2)  # the loss of a zero logit, and of two equal ones
    expected = []
    for k in range(2):
        further = [half * weights[k, 0], half * weights[k, 1]]
        further.append((0.5 - volumes[k]) ** 2 / 2 * weights[k, 2])
        expected.append(float(losses[k] + sum(further)) / 4)
    assert weights[1, 0] == 0
    found = objective.train_losses(losses, outputs, rows)
    assert found.tolist() == pytest.approx(expected)


def test_the_loss_of_further_tasks_alone_leaves_the_classes_out():
    objective = multitask(only_further=True)
    outputs = torch.zeros(2, objective.classes + 5)
    rows = torch.tensor([0, 7])
    low, high = (
        objective.train_losses(torch.full((2,), loss), outputs, rows) for loss in (0.0, 1e6)
    )
    assert torch.equal(low, high)
    loss = objective.validation_loss(torch.tensor(1e6), torch.zeros(16, objective.classes + 5))
    assert float(loss) < 10


def test_the_validation_loss_is_the_mean_of_the_known_labels():
    objective = multitask()
    outputs = torch.zeros(16, objective.classes + 5)
    labels = objective.labels["validation"]
    volumes = labels.values[:, 2]
    known = ~volumes.isnan()
    volume = (volumes[known] ** 2 / 2).mean()
    expected = (0.3 + np.log(2) + np.log(2) + volume) / 4
    assert float(objective.validation_loss(torch.tensor(0.3), outputs)) == pytest.approx(expected)


def test_ratings_start_at_their_log_odds():
    objective = multitask()
    head = objective.network.heads[0]
    ratings = objective.labels["train"].values[:, 0]
    head.start_at(ratings)
    known = ratings[~ratings.isnan()]
    shares = [float((known > level).float().mean()) for level in (1, 2)]
    assert head.bias.sigmoid().tolist() == pytest.approx(shares)


@pytest.mark.parametrize("weighting", ["equal", "uncertainty"])
def test_a_network_learns_all_tasks(weighting, tmp_path):
    objective = multitask(weighting)
    plan = replace(PLAN, objective=objective, checkpoints=tmp_path)
    rows = []
    train_network(objective.network, task(), plan, rows.append, show=False)
    assert rows[-1]["validation_loss"] < rows[0]["validation_loss"]
    images = task().train.images.float()
    outputs = objective.network.divide(objective.network(images))
    shapes = objective.labels["train"].values[:, 1].long()  # round is the class with a square
    assert F.cross_entropy(outputs[2], shapes) < 0.6
    changed = bool((objective.network.log_variances != 0).all())
    assert changed == (weighting == "uncertainty")


def test_a_killed_training_resumes_to_the_same_weights(tmp_path):
    whole = multitask("uncertainty")
    plan = replace(PLAN, objective=whole, checkpoints=tmp_path / "whole")
    train_network(whole.network, task(), plan, show=False)

    def kill(row: dict) -> None:
        if row["epoch"] == 3:
            raise KeyboardInterrupt

    resumed = multitask("uncertainty")
    plan = replace(PLAN, objective=resumed, checkpoints=tmp_path / "killed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("graft.training.checkpoint.SAVE_EVERY_S", 0.0)
        with pytest.raises(KeyboardInterrupt):
            train_network(resumed.network, task(), plan, kill, show=False)
    again = multitask("uncertainty")
    plan = replace(PLAN, objective=again, checkpoints=tmp_path / "killed")
    rows = []
    train_network(again.network, task(), plan, rows.append, show=False)
    assert [row["epoch"] for row in rows][:4] == [0, 1, 2, 3]
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, again.network.state_dict()[name]), name


@pytest.mark.gpu
@pytest.mark.parametrize("weighting", ["equal", "uncertainty"])
def test_a_step_on_several_tasks_is_captured_and_gives_the_same_bytes_twice(weighting, tmp_path):
    cuda = torch.device("cuda")
    use_deterministic_algorithms()
    found = []
    for name in ("first", "second"):
        labels = take_labels(domain(), columns(), ROWS, True, cuda)
        module = MultiTaskNetwork(network().to(cuda), columns())
        objective = TaskObjective(module, labels, weighting)
        training = TRAINING.model_copy(update={"batch": 5})  # an epoch has more than the warm-up
        plan = replace(PLAN, training=training, objective=objective, checkpoints=tmp_path / name)
        parts = {}
        for part, samples in (("train", task().train), ("validation", task().validation)):
            images, codes = samples.images.to(cuda), samples.labels.to(cuda)
            parts[part] = replace(samples, images=images, labels=codes)
        train_network(module, replace(task(), **parts), plan, show=False)
        found.append(module.state_dict())
    for name, tensor in found[0].items():
        assert torch.equal(tensor, found[1][name]), name


def test_the_key_of_a_training_has_its_labels():
    key = multitask().key()
    other = multitask()
    other.labels["train"].values[0, 2] += 1
    assert other.key() != key == multitask().key()
    assert multitask("uncertainty").key() != key
    assert multitask(only_further=True).key() != key
    assert [column["name"] for column in key[2]] == sorted(KINDS)
