"""The losses of tasks against numbers worked out by hand."""

from math import exp, log

import pytest
import torch

from graft.multitask.losses import ordinal_losses, task_losses, weigh_by_uncertainty

NONE = torch.zeros(0)
NAN = float("nan")


def test_a_category_has_the_cross_entropy_and_unknown_ones_nothing():
    outputs = torch.tensor([[0.0, log(3)], [0.0, log(3)], [5.0, -5.0]])
    found = task_losses("category", outputs, torch.tensor([1, 0, NAN]), NONE)
    assert found.tolist() == pytest.approx([-log(3 / 4), -log(1 / 4), 0])


def test_a_number_has_half_the_squared_error():
    found = task_losses("number", torch.tensor([[1.0], [4.0]]), torch.tensor([3.0, NAN]), NONE)
    assert found.tolist() == [2, 0]


def test_a_rating_is_above_or_not_above_each_lower_level():
    # The odds of "above 1" and "above 2" are 3 and 1/3, so they have probability 3/4 and 1/4.
    outputs = torch.tensor([[log(3), -log(3)]])
    levels = torch.tensor([1.0, 2.0])
    for rating, right in ((1.0, (1 / 4, 3 / 4)), (2.0, (3 / 4, 3 / 4)), (5.0, (3 / 4, 1 / 4))):
        found = ordinal_losses(outputs, torch.tensor([rating]), levels)
        expected = -(log(right[0]) + log(right[1])) / 2
        assert float(found) == pytest.approx(expected)


def test_an_unknown_label_gives_no_gradient():
    for kind, width in (("category", 3), ("ordinal", 2), ("number", 1)):
        outputs = torch.ones(2, width, requires_grad=True)
        labels = torch.tensor([NAN, 1.0])
        task_losses(kind, outputs, labels, torch.tensor([0.0, 1.0])).sum().backward()
        assert outputs.grad[0].tolist() == [0] * width
        assert outputs.grad[1].abs().sum() > 0 or kind == "number"


def test_weights_by_uncertainty():
    losses = torch.tensor([[2.0, 3.0]])
    found = weigh_by_uncertainty(losses, torch.tensor([0.0, log(4)]))  # σ² = 1 and 4
    assert found[0].tolist() == pytest.approx([2, 3 / 4 + log(2)])
    # The best σ² of a Gaussian is the mean squared error, 2·L: the derivative is 0 there.
    s = torch.tensor([log(6)], requires_grad=True)
    weigh_by_uncertainty(torch.tensor([3.0]), s).sum().backward()
    assert s.grad.tolist() == pytest.approx([0], abs=1e-7)
    assert exp(s.item()) == pytest.approx(2 * 3)
