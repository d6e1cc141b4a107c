import math

import pytest
import torch

from graft.selfsupervised.loss import nt_xent


def test_two_images_give_the_loss_that_was_worked_out_by_hand():
    # Views at the angles 0 and 60 degrees of one image, and 90 and 180 degrees of the other. Their
    # lengths do not count. The cosines are cos 60 = .5, cos 90 = 0, cos 30 = √3/2, cos 180 = −1,
    # cos 120 = −.5. With τ = 1, the first view has −log(e^.5 / (e^.5 + e^0 + e^−1)), and so on.
    root = math.sqrt(3) / 2
    projected = torch.tensor([[1.0, 0.0], [0.0, 3.0], [0.5, root], [-2.0, 0.0]])
    e = math.exp
    of_views = [
        -math.log(e(0.5) / (e(0.5) + e(0) + e(-1))),  # 0 degrees, with its partner at 60
        -math.log(e(0) / (e(0) + e(0) + e(root))),  # 90 degrees, with its partner at 180
        -math.log(e(0.5) / (e(0.5) + e(root) + e(-0.5))),
        -math.log(e(0) / (e(0) + e(-1) + e(-0.5))),
    ]
    assert of_views == pytest.approx([0.6041, 1.4765, 1.0331, 0.6802], abs=1e-4)
    assert nt_xent(projected, 1.0).item() == pytest.approx(0.94850, abs=1e-5)


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
def test_it_is_what_a_loop_over_the_formula_gives(temperature):
    projected = torch.randn(10, 7, generator=torch.Generator().manual_seed(1))
    total = 0.0
    for i in range(10):
        partner = (i + 5) % 10
        powers = []
        for k in range(10):
            cosine = torch.cosine_similarity(projected[i], projected[k], dim=0).item()
            powers.append(math.exp(cosine / temperature))
        total -= math.log(powers[partner] / (sum(powers) - powers[i]))
    assert nt_xent(projected, temperature).item() == pytest.approx(total / 10, rel=1e-5)


def test_views_that_are_all_alike_have_the_loss_of_a_guess_and_no_gradient_to_grow():
    projected = torch.ones(8, 3, requires_grad=True)
    loss = nt_xent(projected, 0.5)
    loss.backward()
    assert loss.item() == pytest.approx(math.log(7))  # each of 7 others is as likely
    assert projected.grad.abs().max() < 1e-6
