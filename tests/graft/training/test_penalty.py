import pytest
import torch
from torch import nn

from graft.training.penalty import Pull, l1, l2, pull_towards


def network(body: float, head: float) -> nn.Module:
    """Two tensors: body [[b, b]] and head [[h]]."""
    layers = {"body": nn.Linear(2, 1, bias=False), "head": nn.Linear(1, 1, bias=False)}
    module = nn.ModuleDict(layers)
    with torch.no_grad():
        module["body"].weight.fill_(body)
        module["head"].weight.fill_(head)
    return module


REFERENCE = {"body.weight": torch.tensor([[1.0, 0.0]])}


def test_l2_sp_by_hand():
    # The body [3, 3] differs from [1, 0] by [2, 3]: 4 + 9 = 13. The new head has plain L2: 2² = 4.
    pull = Pull(0.5, "l2", REFERENCE)
    penalty = pull(network(body=3, head=2)).item()
    assert penalty == pytest.approx(0.5 * (13 + 4))


def test_l1_distance_by_hand_with_plain_l2_for_the_new_head():
    # The body differs by |2| + |3| = 5. The new head has plain L2: 2² = 4.
    pull = Pull(0.5, "l1", REFERENCE)
    penalty = pull(network(body=3, head=2)).item()
    assert penalty == pytest.approx(0.5 * (5 + 4))


def test_the_gradient_points_away_from_the_reference():
    module = network(3, 2)
    pull = Pull(0.5, "l2", REFERENCE)
    pull(module).backward()
    # The gradient is 2 λ (θ - θ₀), and 2 λ θ of the new head.
    assert module["body"].weight.grad.tolist() == [[2.0, 3.0]]
    assert module["head"].weight.grad.tolist() == [[2.0]]


def test_the_reference_is_a_copy_and_does_not_follow_the_network():
    module = network(3, 0)
    pull = pull_towards(module, ["body.weight"], 1.0, "l2")
    assert pull(module).item() == 0
    with torch.no_grad():
        module["body"].weight.add_(1)
    assert pull(module).item() == 2


def test_without_new_tensors_there_is_no_plain_term():
    module = network(3, 2)
    pull = pull_towards(module, ["body.weight", "head.weight"], 1.0, "l2")
    assert pull(module).item() == 0


def test_l1_and_l2_by_hand():
    module = network(-3, 2)
    assert l1(module).item() == 3 + 3 + 2
    assert l2(module).item() == 9 + 9 + 4
