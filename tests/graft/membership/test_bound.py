"""The limits of differential privacy: by hand, by integration, and for a known mechanism."""

import math
from pathlib import Path

import numpy as np
import pytest

from graft.common.files import InputError
from graft.membership.bound import Guarantee, find_guarantee


def test_numbers_by_hand():
    # ε = ln 3: below FPR = 1 / 4 the limit is 3·FPR, above it 1 - (1 - FPR) / 3.
    epsilon = math.log(3)
    assert Guarantee(epsilon, 0).most_true_positives(0.1) == pytest.approx(0.3)
    assert Guarantee(epsilon, 0).most_true_positives(0.25) == pytest.approx(0.75)
    assert Guarantee(epsilon, 0).most_true_positives(0.4) == pytest.approx(0.8)
    # Below the curve: 0.25·0.75/2 + 0.75·(0.75 + 1)/2 = 0.09375 + 0.65625.
    assert Guarantee(epsilon, 0).largest_auc == pytest.approx(0.75)
    assert Guarantee(1.0, 1e-5).most_true_positives(0.01) == pytest.approx(0.01 * math.e + 1e-5)
    assert Guarantee(1.0, 0).largest_auc == pytest.approx(0.731059, abs=1e-6)


@pytest.mark.parametrize(("epsilon", "delta"), [(0.0, 0.0), (0.5, 0.1), (3.0, 1e-3), (8.0, 0.0)])
def test_the_auc_is_the_integral_of_the_rates(epsilon, delta):
    rates = np.linspace(0, 1, 20_001)
    guarantee = Guarantee(epsilon, delta)
    limits = [guarantee.most_true_positives(rate) for rate in rates]
    assert guarantee.largest_auc == pytest.approx(np.trapezoid(limits, rates), abs=1e-6)


def test_no_privacy_loss_is_guessing_and_a_large_one_allows_everything():
    assert Guarantee(0, 0).largest_auc == 0.5
    assert Guarantee(0, 0).most_true_positives(0.3) == pytest.approx(0.3)
    assert Guarantee(1e6, 0).largest_auc == 1
    assert Guarantee(1e6, 0).most_true_positives(0.01) == 1
    assert Guarantee(0, 1).largest_auc == Guarantee(0, 1).most_true_positives(0) == 1


def test_randomised_response_reaches_the_limit():
    # The true answer with probability e^ε / (1 + e^ε) is ε-private, and nothing is less so.
    epsilon = 1.7
    truthful = math.exp(epsilon) / (1 + math.exp(epsilon))
    assert Guarantee(epsilon, 0).most_true_positives(1 - truthful) == pytest.approx(truthful)
    # One threshold: the curve goes through (1 - p, p), so its area is p.
    assert Guarantee(epsilon, 0).largest_auc == pytest.approx(truthful)


PATH = Path("models/pretrained/card.json")


def test_only_a_guarantee_towards_the_patients_of_the_domain_counts():
    card = {"privacy": [{"domain": "lung", "unit": "patient", "epsilon": 3, "delta": 1e-5}]}
    assert find_guarantee(card, "lung", PATH) == Guarantee(3.0, 1e-5)
    assert find_guarantee(card, "liver", PATH) is None
    assert find_guarantee({}, "lung", PATH) is None


@pytest.mark.parametrize(
    "privacy",
    [
        {"domain": "lung"},
        ["lung"],
        [{"domain": "lung", "epsilon": "3", "delta": 0}],
        [{"domain": "lung", "epsilon": -1, "delta": 0}],
        [{"domain": "lung", "epsilon": 1, "delta": 1.5}],
        [{"domain": "lung", "epsilon": math.nan, "delta": 0}],
    ],
)
def test_an_entry_of_another_form_is_an_error(privacy):
    with pytest.raises(InputError, match=r"^models/pretrained/card.json: privacy: is .*, expected"):
        find_guarantee({"privacy": privacy}, "lung", PATH)
