"""The shares of the classes by EM, with numbers worked out by hand."""

import numpy as np
import pytest

from graft.adaptation.prior import estimate_prior, estimate_shares
from graft.adaptation.site import UNKNOWN

EVEN = np.array([0.5, 0.5])


def share(probabilities: list[float], labels: list[int] | None = None, **settings) -> float:
    """The estimated share of the disease from probabilities of it."""
    codes = np.array(labels if labels else [UNKNOWN] * len(probabilities))
    disease = np.array(probabilities)
    table = np.stack([1 - disease, disease], 1)
    return estimate_shares(table, EVEN, codes, np.ones((1, len(codes))), **settings)[0, 1]


def test_two_scans_without_shrinkage():
    # (0.1 + 0.8 x)(0.8 - 0.6 x) is largest where 0.58 = 0.96 x.
    assert share([0.9, 0.2], strength=0.0) == pytest.approx(0.58 / 0.96, abs=1e-6)


def test_one_scan_is_pulled_towards_the_old_share():
    # x = (r + 0.5) / 2 with r = 0.8 x / (0.8 x + 0.2 (1 - x)): 1.2 x² - 0.7 x - 0.1 = 0.
    expected = (0.7 + np.sqrt(0.49 + 0.48)) / 2.4
    assert share([0.8], strength=1.0) == pytest.approx(expected, abs=1e-6)
    assert share([0.8], strength=1e6) == pytest.approx(0.5, abs=1e-5)


def test_labels_replace_posteriors():
    assert share([0.1, 0.1, 0.9], [1, 1, 0], strength=0.0) == pytest.approx(2 / 3)
    assert share([0.1], [1], strength=1.0) == pytest.approx(0.75)


def test_weights_count_like_repeated_scans():
    table = np.array([[0.1, 0.9], [0.8, 0.2]])
    unknown = np.full(2, UNKNOWN)
    weights = np.array([[2.0, 1.0], [1.0, 0.0]])
    found = estimate_shares(table, EVEN, unknown, weights)[:, 1]
    assert found[0] == pytest.approx(share([0.9, 0.9, 0.2]))
    assert found[1] == pytest.approx(share([0.9]))


def draw(count: int, malignant: float, seed: int) -> np.ndarray:
    """Probabilities of the disease, calibrated for even shares, of lesions with other shares."""
    random = np.random.default_rng(seed)
    diseased = random.random(count) < malignant
    reading = random.standard_normal(count) + np.where(diseased, 1.0, -1.0)
    return 1 / (1 + np.exp(-2 * reading))


@pytest.mark.parametrize(("malignant", "is_new"), [(0.5, False), (0.85, True)])
def test_a_new_share_is_found_and_no_change_is_not(malignant, is_new):
    disease = draw(300, malignant, seed=1)
    table = np.stack([1 - disease, disease], 1)
    unknown = np.full(300, UNKNOWN)
    reference = draw(200, 0.5, seed=2)
    prior = estimate_prior(table, reference, unknown, np.arange(300), 0.95, seed=0)
    assert prior.distinguishable is is_new
    assert prior.low < malignant < prior.high
    assert prior.old == pytest.approx(0.5, abs=0.06)
    assert prior == estimate_prior(table, reference, unknown, np.arange(300), 0.95, seed=0)
