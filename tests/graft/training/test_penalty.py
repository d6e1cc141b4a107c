import pytest
import torch
from torch import nn

from graft.training.penalty import Pull, l1, l2, pull_towards


def network(body: float, head: float) -> nn.Module:
    """Two tensors: body [[b, b]] and head [[h]]."""
    module = nn.ModuleDict(
        {"body": nn.Linear(2, 1, bias=False), "head": nn.Linear(1, 1, bias=False)}
    )
    with torch.no_grad():
        module["body"].weight.fill_(body)
        module["head"].weight.fill_(head)
    return module


REFERENCE = {"body.weight": torch.tensor([[1.0, 0.0]])}


def test_l2_sp_by_hand():
    # body [3, 3] against [1, 0]: 4 + 9 = 13; the new head 2: plain L2, 4. λ·(13 + 4) = 0.5·17.
    assert Pull(0.5, "l2", REFERENCE)(network(3, 2)).item() == pytest.approx(8.5)


def test_l1_distance_by_hand_with_plain_l2_for_the_new_head():
    # |2| + |3| = 5, head 2² = 4.
    assert Pull(0.5, "l1", REFERENCE)(network(3, 2)).item() == pytest.approx(4.5)


def test_the_gradient_points_from_the_reference():
    module = network(3, 2)
    Pull(0.5, "l2", REFERENCE)(module).backward()
    assert module["body"].weight.grad.tolist() == [[2.0, 3.0]]  # 2·λ·(θ − θ₀)
    assert module["head"].weight.grad.tolist() == [[2.0]]  # 2·λ·θ


def test_the_reference_is_a_copy_and_does_not_follow_the_network():
    module = network(3, 0)
    pull = pull_towards(module, ["body.weight"], 1.0, "l2")
    assert pull(module).item() == 0
    with torch.no_grad():
        module["body"].weight.add_(1)
    assert pull(module).item() == 2


def test_everything_shared_leaves_no_plain_term():
    module = network(3, 2)
    assert pull_towards(module, ["body.weight", "head.weight"], 1.0, "l2")(module).item() == 0


def test_l1_and_l2_by_hand():
    module = network(-3, 2)
    assert (l1(module).item(), l2(module).item()) == (8, 22)  # 3 + 3 + 2; 9 + 9 + 4
