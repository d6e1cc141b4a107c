"""The penalties on features by hand-computed numbers and an independent implementation."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from graft.common import code
from graft.strategies import bss, delta
from graft.strategies.watched import Watched, watch_input, watch_output
from graft.training.epoch import Epochs
from graft.training.state import State, make_optimizer
from tests.squares import PLAN, RECIPE, network, task


@pytest.mark.parametrize("shape", [(16, 32), (32, 16), (5, 5), (1, 4)])
def test_the_smallest_singular_value_is_that_of_a_decomposition(shape):
    matrix = torch.from_numpy(np.random.default_rng(sum(shape)).normal(size=shape))
    expected = np.linalg.svd(matrix.numpy(), compute_uv=False)[-1] ** 2
    assert bss.smallest_squared_singular_value(matrix).item() == pytest.approx(expected, rel=1e-6)


def test_its_gradient_is_that_of_a_decomposition():
    matrix = torch.from_numpy(np.random.default_rng(0).normal(size=(6, 9))).requires_grad_()
    bss.smallest_squared_singular_value(matrix).backward()
    copy = matrix.detach().clone().requires_grad_()
    torch.linalg.svdvals(copy)[-1].square().backward()
    assert torch.allclose(matrix.grad, copy.grad, atol=1e-8)


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ([[3.0, 0.0], [0.0, 4.0]], 9.0),
        ([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]], 4.0),  # equal ones
        ([[1.0, 1.0], [1.0, 1.0]], 0.0),  # of rank 1
        ([[0.0, 0.0], [0.0, 0.0]], 0.0),
    ],
)
def test_the_smallest_singular_value_by_hand(matrix, expected):
    found = bss.smallest_squared_singular_value(torch.tensor(matrix, requires_grad=True))
    assert found.item() == pytest.approx(expected, abs=1e-6)
    found.backward()


def test_shrinkage_leaves_out_the_covariates():
    inputs = Watched(torch.tensor([[3.0, 0.0, 0.0], [0.0, 4.0, 100.0]]))
    assert bss.SpectralShrinkage(inputs, 2)(torch.zeros(2)).item() == pytest.approx(0.009)


def test_the_distance_of_maps_by_hand():
    maps = torch.zeros(2, 3, 4, 4)
    other = torch.zeros(2, 3, 4, 4)
    other[0, 1] = 2.0  # 4 in all voxels of one channel of one image
    other[1, :, 0, 0] = 4.0  # 16 in three channels of one voxel
    assert delta.map_distance(maps, other).item() == pytest.approx((4 + 3 * 16 / 16) / 2)


def test_watched_tensors_are_those_of_the_last_pass_and_end_with_the_context():
    layer = torch.nn.Linear(2, 1, bias=False)
    with watch_input(layer) as given, watch_output(layer) as made:
        layer(torch.zeros(1, 2))
        expected = layer(torch.ones(1, 2))
    assert given.tensor().tolist() == [[1.0, 1.0]]
    assert torch.equal(made.tensor(), expected)
    layer(torch.zeros(1, 2))
    assert torch.equal(made.tensor(), expected)
    assert not layer._forward_hooks
    assert not layer._forward_pre_hooks


def test_other_code_of_strategies_gives_other_checkpoints(tmp_path, monkeypatch):
    folder = shutil.copytree(code.GRAFT / "strategies", tmp_path / "strategies")
    monkeypatch.setattr(code, "GRAFT", tmp_path)
    penalties = (
        bss.SpectralShrinkage(Watched(), 32),
        delta.MapDistance(0.01, Watched(), network(), Watched()),
    )
    before = [penalty.key for penalty in penalties]
    assert before == [penalty.key for penalty in penalties]
    (folder / "watched.py").write_text("CHANGED = True\n")
    for penalty, key in zip(penalties, before, strict=True):
        assert penalty.key != key
        assert json.loads(json.dumps(penalty.key)) == penalty.key


def test_the_step_adds_the_penalty_of_the_batch_and_its_transforms():
    module = network()
    seen = []

    class Constant:
        key = ()

        def __call__(self, images: torch.Tensor) -> torch.Tensor:
            seen.append(len(images))
            return next(module.parameters()).sum() * 0 + 2.5

    plan = replace(PLAN, recipe=RECIPE.model_copy(update={"lr": 1e-12}), features=Constant())
    state = State(module, make_optimizer(module, plan.recipe, plan.training), {}, [])
    row = Epochs(state, task().train, torch.ones(24), plan).run(1)
    assert row["penalty"] == pytest.approx(2.5)
    assert seen == [16, 16, 16]
