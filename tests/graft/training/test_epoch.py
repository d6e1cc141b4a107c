import gc
import weakref
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from graft.training.augment import apply
from graft.training.epoch import Epochs
from graft.training.loss import learning_rate
from graft.training.plan import Plan
from graft.training.state import State, make_optimizer
from tests.squares import PLAN, RECIPE, TRAINING, network, task

STILL = {"lr": 1e-12}  # training does not change the network
BATCH = 5  # of 24 samples: the last batch is smaller


def epochs(**recipe: float) -> Epochs:
    training = TRAINING.model_copy(update={"batch": BATCH})
    plan = replace(PLAN, recipe=RECIPE.model_copy(update=recipe), training=training)
    return epochs_of(plan)


def epochs_of(plan: Plan) -> Epochs:
    module = network()
    state = State(module, make_optimizer(module, plan.recipe, plan.training), {}, [])
    weights = torch.linspace(0, 2, 24)  # of the samples
    return Epochs(state, task().train, weights, plan)


def test_the_mean_loss_is_that_of_all_samples_with_their_weights():
    training = epochs(transforms=0, **STILL)
    samples = training.train
    outputs = training.state.network(samples.images.float())
    losses = F.cross_entropy(outputs, samples.labels, reduction="none")
    row = training.run(1)
    assert row["train_loss"] == pytest.approx((losses * training.weights).mean().item(), rel=1e-5)
    assert row["penalty"] == 0
    assert training.inputs.rows.sort().values.tolist() == list(range(24))


def test_each_sample_gets_its_own_transforms():
    training = epochs(transforms=2, **STILL)
    row = training.run(2)
    samples, rows = training.train, training.inputs.rows
    images = samples.images[rows].float()
    expected = 0.0
    copies = [images]
    for m in range(2):
        transform = training.inputs.transforms.map(lambda drawn, m=m: drawn[m])
        copies.append(apply(images, transform, training.bank))
    for part, copy in zip((1, 0.5, 0.5), copies, strict=True):
        losses = F.cross_entropy(
            training.state.network(copy), samples.labels[rows], reduction="none"
        )
        expected += part * (losses * training.weights[rows]).mean().item()
    assert row["train_loss"] == pytest.approx(expected, rel=1e-4)
    assert not torch.allclose(copies[1], copies[2], atol=0.05)


def test_the_learning_rate_follows_the_schedule():
    training = epochs(epochs=2)
    group = training.state.optimizer.param_groups[0]
    training.run(2)
    last = learning_rate(training.plan.recipe, "cosine", (1 + 4 / 5) / 2)  # of five steps
    assert group["lr"].item() == pytest.approx(last)
    assert training.step_number.item() == 5


def test_an_epoch_does_not_depend_on_the_epochs_before():
    training = epochs(**STILL)
    training.run(1)
    second = training.run(2)
    fresh = epochs(**STILL)
    assert fresh.run(2) == second
    assert fresh.run(1) != second


def test_all_that_a_step_reads_stays_in_its_memory():
    """A CUDA graph reads the memory that was there when it was captured."""
    training = epochs(transforms=1)

    def places() -> list[int]:
        tensors = [*training.inputs.tensors(), training.step_number, training.sums, training.bank]
        tensors += [group["lr"] for group in training.state.optimizer.param_groups]
        tensors += training.state.network.parameters()
        return [tensor.data_ptr() for tensor in tensors]

    before = places()
    training.run(1)
    order = training.inputs.rows.clone()
    training.run(2)
    assert places() == before
    assert not torch.equal(training.inputs.rows, order)


def test_without_noise_there_is_no_bank():
    silent = PLAN.augment.model_copy(update={"noise": 0.0})
    training = epochs_of(replace(PLAN, augment=silent))
    assert training.bank is None
    assert training.run(1)["train_loss"] > 0


def test_a_finished_training_does_not_wait_for_the_garbage_collector():
    training = epochs()
    training.run(1)
    left = weakref.ref(training)
    gc.disable()
    try:
        del training
        assert left() is None
    finally:
        gc.enable()
