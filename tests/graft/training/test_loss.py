import pytest
import torch

from graft.training.loss import augmented_loss, class_weights, learning_rate
from tests.squares import RECIPE, task


def test_the_augmented_loss_by_hand():
    """Two samples with the losses 0.2 and 0.6, and two transforms that add 0.1 and 0.3 to both.

    (1/2)(0.2 + 0.6) + (1/2)[(0.3 + 0.7)/2 + (0.5 + 0.9)/2] = 0.4 + 0.6.
    """
    losses = torch.tensor([0.2, 0.6, 0.3, 0.7, 0.5, 0.9])
    assert augmented_loss(losses, 2).item() == pytest.approx(1.0)
    assert augmented_loss(losses[:2], 2).item() == pytest.approx(0.4)


def test_class_weights_by_hand():
    # 24 samples, 18 benign and 6 malignant: 24 / (2·18) and 24 / (2·6).
    assert class_weights(task(), "balanced").tolist() == pytest.approx([2 / 3, 2])
    assert class_weights(task(), "none").tolist() == [1, 1]


def test_the_schedule_by_hand():
    assert learning_rate(RECIPE, "cosine", 0.5) == pytest.approx(0.005)
    assert learning_rate(RECIPE, "cosine", 1.0) == pytest.approx(0)
    assert learning_rate(RECIPE, "constant", 0.9) == 0.01
