"""The penalty on features by hand-computed numbers."""

import json
import shutil
from dataclasses import replace

import pytest
import torch

from graft.common import code
from graft.strategies import delta
from graft.strategies.watched import Watched, watch_output
from graft.training.epoch import Epochs
from graft.training.state import State, make_optimizer
from tests.squares import PLAN, RECIPE, network, task


def test_the_distance_of_maps_by_hand():
    maps = torch.zeros(2, 3, 4, 4)
    other = torch.zeros(2, 3, 4, 4)
    other[0, 1] = 2.0  # 4 in all voxels of one channel of one image
    other[1, :, 0, 0] = 4.0  # 16 in three channels of one voxel
    assert delta.map_distance(maps, other).item() == pytest.approx((4 + 3 * 16 / 16) / 2)


def test_watched_tensors_are_those_of_the_last_pass_and_end_with_the_context():
    layer = torch.nn.Linear(2, 1, bias=False)
    with watch_output(layer) as made:
        layer(torch.zeros(1, 2))
        expected = layer(torch.ones(1, 2))
    assert torch.equal(made.tensor(), expected)
    layer(torch.zeros(1, 2))
    assert torch.equal(made.tensor(), expected)
    assert not layer._forward_hooks


def test_other_code_of_strategies_gives_other_checkpoints(tmp_path, monkeypatch):
    folder = shutil.copytree(code.GRAFT / "strategies", tmp_path / "strategies")
    monkeypatch.setattr(code, "GRAFT", tmp_path)
    penalty = delta.MapDistance(0.01, Watched(), network(), Watched())
    before = penalty.key
    assert penalty.key == before
    (folder / "watched.py").write_text("CHANGED = True\n")
    assert penalty.key != before
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
