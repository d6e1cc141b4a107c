"""The distance by hand, on samples of one domain and on samples of two."""

import numpy as np
import pytest

from graft.ranking.distance import compare_domains, frechet, standardise


def gaussian(count: int, mean: float = 0.0, seed: int = 0, width: int = 4) -> np.ndarray:
    """Features with standard deviation 1, (count, width)."""
    return np.random.default_rng(seed).normal(mean, 1, (count, width))


def covariance(features: np.ndarray) -> np.ndarray:
    return np.cov(features.T, bias=True)


def test_frechet_of_one_feature_by_hand():
    x = np.array([[-1.0], [1.0]])  # mean 0, variance 1
    y = np.array([[1.0], [5.0]])  # mean 3, variance 4
    # 3² + 1 + 4 - 2 √(1 · 4) = 10. A single feature is not shrunk.
    assert frechet(x, y) == pytest.approx(10)


def test_frechet_of_covariances_that_do_not_commute(monkeypatch):
    def no_shrinkage(x):
        return covariance(x), 0.0

    monkeypatch.setattr("sklearn.covariance.ledoit_wolf", no_shrinkage)
    x = gaussian(50) @ np.diag([1.0, 2, 3, 4])
    mixing = np.random.default_rng(2).normal(size=(4, 4))
    y = gaussian(50, 1, seed=1) @ mixing
    a = covariance(x)
    b = covariance(y)
    # The trace of √(S_x S_y) is the sum of the roots of the eigenvalues of S_x S_y.
    eigenvalues = np.linalg.eigvals(a @ b).real
    trace_of_root = np.sqrt(eigenvalues).sum()
    between_means = ((x.mean(0) - y.mean(0)) ** 2).sum()
    expected = between_means + np.trace(a + b) - 2 * trace_of_root
    assert frechet(x, y) == pytest.approx(expected)
    assert frechet(y, x) == pytest.approx(expected)
    assert frechet(x, x) == pytest.approx(0, abs=1e-6)


def test_standardised_features_depend_on_no_scale_and_constant_ones_are_left_out():
    x = gaussian(30)
    y = gaussian(10, mean=1, seed=1)
    scales = np.array([1e-3, 1.0, 50.0, 7.0])
    scaled_x = np.column_stack([x * scales, np.full(30, 0.7)])
    scaled_y = np.column_stack([y * scales, np.full(10, 0.7)])
    a, b = standardise(x, y)
    c, d = standardise(scaled_x, scaled_y)
    assert np.allclose(a, c)
    assert np.allclose(b, d)
    assert c.shape == (30, 4)
    # Both domains have the same weight in the mean and the standard deviation.
    mean = (a.mean(0) + b.mean(0)) / 2
    assert np.allclose(mean, 0)
    mean_square = ((a**2).mean(0) + (b**2).mean(0)) / 2
    assert np.allclose(mean_square, 1)


def test_two_samples_of_one_domain_are_near_and_two_domains_are_far():
    x = gaussian(80)
    near = compare_domains(x, gaussian(60, seed=1))
    far = compare_domains(x, gaussian(60, mean=2, seed=2))
    assert far > 10 * near
    assert compare_domains(50 * x, 50 * gaussian(60, seed=1)) == pytest.approx(near)


def test_constant_features_have_no_distance():
    assert compare_domains(np.ones((12, 3)), np.ones((9, 3))) == 0
