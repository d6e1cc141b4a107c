"""Private training: sampling, noise, and the same bytes for the same key and data."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from graft.common.files import InputError
from graft.networks.device import use_deterministic_algorithms
from graft.private_training import train
from graft.private_training.gradients import ClippedSum
from graft.private_training.train import train_privately
from graft.training import checkpoint
from tests.graft.private_training.examples import (
    BUDGET,
    EPOCHS,
    PATIENTS,
    make_run,
    make_steps,
    trained,
    two_lesions_each,
)
from tests.squares import task


def gradient(steps: train.Steps) -> torch.Tensor:
    return torch.cat([parameter.grad.flatten() for parameter in steps.clipped.parameters])


def test_each_patient_is_drawn_with_the_sampling_rate(tmp_path):
    steps = make_steps(tmp_path)
    drawn = np.zeros((2000, PATIENTS), bool)
    for step in range(2000):
        drawn[step, steps.draw_patients(step)] = True
    # Four standard deviations of a binomial proportion: of each patient, and of their number.
    assert np.abs(drawn.mean(0) - 0.25).max() < 4 * (0.25 * 0.75 / 2000) ** 0.5
    assert drawn.sum(1).var() == pytest.approx(PATIENTS * 0.25 * 0.75, rel=0.15)
    assert not drawn[drawn.sum(1) == 0].any() and (drawn.sum(1) == 0).any()


def test_a_step_without_patients_is_noise_of_the_right_scale(tmp_path):
    budget = replace(BUDGET, sampling_rate=1e-9, noise_multiplier=2.0, clip=0.3)
    steps = make_steps(tmp_path, budget=budget)
    steps.network.train()
    steps.set_gradient(0)
    first = gradient(steps) * budget.expected
    assert float(first.std()) == pytest.approx(0.6, rel=0.03)
    assert abs(float(first.mean())) < 0.02
    steps.set_gradient(1)
    second = gradient(steps) * budget.expected
    assert abs(float(torch.corrcoef(torch.stack([first, second]))[0, 1])) < 0.05


@pytest.mark.parametrize("by_image", [False, True])
def test_the_gradient_is_the_clipped_sum_and_the_noise_by_the_expected_number(tmp_path, by_image):
    """The sum is computed again, one patient after the other, without transforms."""
    run = make_run(tmp_path)
    recipe = run.plan.recipe.model_copy(update={"transforms": 0})
    run = replace(run, plan=replace(run.plan, recipe=recipe))
    steps = train.Steps(run, train.SecretStream("k" * 20, "test"))
    steps.clipped = ClippedSum(run.network, run.budget.clip, by_image)
    steps.set_gradient(3)
    found = gradient(steps)
    steps.clipped.close()
    images, labels = run.task.train.images.float(), run.task.train.labels
    expected = torch.zeros_like(found)
    for patient in steps.draw_patients(3):
        rows = [2 * patient, 2 * patient + 1]
        run.network.zero_grad()
        F.cross_entropy(run.network(images[rows]), labels[rows], reduction="sum").backward()
        of_patient = gradient(steps)
        expected += of_patient * min(1.0, float(1 / of_patient.norm()))
    noise = []
    for number, parameter in enumerate(steps.clipped.parameters):
        noise.append(steps.secret.normal(parameter.numel(), "noise", 3, number))
    expected += 0.7 * torch.from_numpy(np.concatenate(noise)).float()
    assert torch.allclose(found, expected / 3, atol=1e-4)  # of 12 patients, 3 are expected


@pytest.mark.parametrize("patients", [[], [0], [0, 5]])
def test_with_transforms_a_patient_still_counts_no_more_than_the_clip(tmp_path, patients):
    steps = make_steps(tmp_path)
    steps.network.train()
    steps.add_patients(np.array(patients, int), step=0)
    total = torch.cat([part.flatten() for part in steps.clipped.totals])
    assert float(total.norm()) == pytest.approx(len(patients), abs=1e-4 + len(patients) // 2)


def test_one_key_gives_the_same_bytes_and_another_key_others(tmp_path):
    first = trained(make_run(tmp_path / "a"))
    assert trained(make_run(tmp_path / "b")) == first
    assert trained(make_run(tmp_path / "c", key="another key of these tests")) != first


def test_other_data_gets_other_noise(tmp_path):
    """If it were the same, the difference of two models would show a patient without noise."""
    made = two_lesions_each(task())
    labels = made.train.labels.clone()
    labels[0] = 1 - labels[0]
    changed = replace(made, train=replace(made.train, labels=labels))
    names = set()
    for number, data in enumerate((made, changed)):
        run = make_run(tmp_path / str(number), made=data)
        train_privately(run, lambda row: None)
        (path,) = (tmp_path / str(number) / "test").iterdir()
        names.add(path.stem)  # which the noise follows from
    assert len(names) == 2


def test_a_killed_training_resumes_to_the_same_bytes(tmp_path, monkeypatch, capsys):
    whole = trained(make_run(tmp_path / "whole"))
    monkeypatch.setattr(checkpoint, "SAVE_EVERY_S", 0.0)

    def kill(row: dict) -> None:
        if row["epoch"] == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(make_run(tmp_path / "killed"), kill)
    assert trained(make_run(tmp_path / "killed")) == whole
    assert "resumes after epoch 2" in capsys.readouterr().out


def test_noise_depends_on_whose_a_lesion_is(tmp_path):
    """Otherwise the difference of two networks with other owners would be free of noise."""
    made = two_lesions_each(task())
    patients = made.train.patients[[1, 2, 3, 0, *range(4, len(made.train))]]
    other = replace(made, train=replace(made.train, patients=patients))
    assert train._key(make_run(tmp_path, made=made)) != train._key(make_run(tmp_path, made=other))


def test_no_row_says_anything_about_the_patients_who_are_trained_on(tmp_path):
    rows: list[dict] = []
    row, epsilon = train_privately(make_run(tmp_path), rows.append)
    assert [found["epoch"] for found in rows] == list(range(EPOCHS + 1))
    assert {name for found in rows for name in found} == {
        "epoch",
        "validation_loss",
        "validation_accuracy",
    }
    assert row == rows[-1]  # the last epoch, not the best one
    assert epsilon == BUDGET.epsilon()


def test_class_weights_do_not_come_from_the_labels(tmp_path):
    run = make_run(tmp_path)
    assert run.plan.training.class_weights == "none"


def test_weights_that_are_not_finite_are_one_line(tmp_path):
    run = make_run(tmp_path)
    with torch.no_grad():
        next(run.network.parameters()).fill_(float("nan"))
    with pytest.raises(InputError, match="a weight became NaN or infinite in epoch 1"):
        train_privately(run, lambda row: None)


def test_private_training_resists_noise_enough_to_learn(tmp_path):
    """With little noise and all patients in each step, it learns as any training does."""
    budget = replace(BUDGET, sampling_rate=1.0, steps=EPOCHS * 5, noise_multiplier=0.05)
    rows: list[dict] = []
    train_privately(make_run(tmp_path, budget=budget), rows.append)
    assert rows[-1]["validation_loss"] < 0.7 * rows[0]["validation_loss"]


@pytest.mark.gpu
def test_on_a_gpu_the_weights_are_finite_and_the_same_twice(tmp_path):
    use_deterministic_algorithms()
    found = []
    for name in ("a", "b"):
        run = make_run(Path(tmp_path / name), made=on_gpu(two_lesions_each(task())))
        run.network.cuda()
        found.append(trained(run))
    assert found[0] == found[1]
    assert np.isfinite(np.frombuffer(found[0], np.float32)).all()


def on_gpu(made: train.Task) -> train.Task:
    def move(samples: train.Samples) -> train.Samples:
        return replace(samples, images=samples.images.cuda(), labels=samples.labels.cuda())

    return replace(made, train=move(made.train), validation=move(made.validation))
