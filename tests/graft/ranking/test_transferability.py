"""LogME against its definition."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from graft.ranking.transferability import log_me


def labelled_features(
    count: int, width: int, classes: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw features that are at least 0, of which only the first depends on the label."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    features = random.normal(size=(count, width))
    features[:, 0] += labels
    return np.abs(features), labels


def best_evidence_on_a_grid(features: np.ndarray, labels: np.ndarray, grid: np.ndarray) -> float:
    """Maximise the density of y ~ N(0, I/β + FFᵀ/α) on a grid of α and β; the mean over classes."""
    values, vectors = np.linalg.eigh(features @ features.T)
    values = np.maximum(values, 0)
    beta = grid[:, None, None]
    alpha = grid[None, :, None]
    variances = 1 / beta + values / alpha  # (β, α, N)
    best = []
    for label in np.unique(labels):
        y = vectors.T @ (labels == label).astype(float)
        terms = np.log(2 * np.pi * variances) + y**2 / variances
        evidence = -0.5 * terms.sum(2)  # (β, α)
        best.append(evidence.max() / len(labels))
    return np.mean(best)


@pytest.mark.parametrize(("count", "width", "classes"), [(12, 3, 2), (10, 15, 3)])
def test_log_me_is_the_greatest_evidence_on_a_grid(count, width, classes):
    features, labels = labelled_features(count, width, classes, seed=0)
    grid = np.exp(np.linspace(-6, 9, 90))
    expected = best_evidence_on_a_grid(features, labels, grid)
    assert expected <= log_me(features, labels) < expected + 0.002


def test_log_me_is_the_highest_of_several_maxima():
    # The feature with the large scale is noise, the one with the small scale predicts the label.
    # To explain the labels by noise alone is a lower maximum.
    random = np.random.default_rng(2)
    labels = np.arange(20) % 2
    large_noise = 100 * random.normal(size=20)
    predictive = labels + 0.02 * random.normal(size=20)
    features = np.column_stack([large_noise, predictive])
    grid = np.exp(np.linspace(-3, 16, 100))
    expected = best_evidence_on_a_grid(features, labels, grid)
    assert expected > 0
    assert expected <= log_me(features, labels) < expected + 0.01


def test_log_me_of_a_constant_feature_is_a_gaussian_density():
    # With one feature that is 1 throughout, y = w + noise: a Gaussian whose α and β are searched
    # on a fine grid.
    features = np.ones((6, 1))
    labels = np.array([0, 0, 0, 0, 1, 1])
    grid = np.exp(np.linspace(-2, 5, 32))
    best = []
    for label in (0, 1):
        y = (labels == label).astype(float)
        densities = []
        for alpha in grid:
            for beta in grid:
                covariance = np.eye(6) / beta + 1 / alpha
                densities.append(multivariate_normal.logpdf(y, cov=covariance))
        best.append(max(densities) / 6)
    expected = np.mean(best)
    assert expected <= log_me(features, labels) < expected + 0.005


@pytest.mark.parametrize(
    ("shape", "logme"),
    [((40, 6, 2, 0), -0.825459), ((30, 50, 3, 1), -0.740455), ((65, 32, 2, 2), -0.776403)],
)
def test_the_score_equals_that_of_the_authors_iteration(shape, logme):
    # Computed with the iteration of α and β of You et al., run until it converged.
    features, labels = labelled_features(*shape)
    assert log_me(features, labels) == pytest.approx(logme, abs=2e-6)


def test_log_me_does_not_depend_on_scale_rotation_constant_features_or_label_codes():
    features, labels = labelled_features(30, 5, 2, seed=3)
    expected = pytest.approx(log_me(features, labels))
    square = np.random.default_rng(0).normal(size=(5, 5))
    rotation, _ = np.linalg.qr(square)
    assert log_me(1e3 * features @ rotation, labels) == expected
    with_zeros = np.column_stack([features, np.zeros((30, 4))])
    assert log_me(with_zeros, labels) == expected
    assert log_me(features, labels + 7) == expected


def test_more_predictive_features_score_higher():
    features, labels = labelled_features(60, 5, 2, seed=4)
    predictive = features + 3 * labels[:, None]
    assert log_me(predictive, labels) > log_me(features, labels)


def test_perfect_and_empty_features_give_finite_numbers():
    labels = np.arange(20) % 2
    perfect = np.eye(2)[labels]
    empty = np.zeros((20, 3))
    assert np.isfinite(log_me(perfect, labels))
    assert np.isfinite(log_me(empty, labels))
    assert log_me(perfect, labels) > 5
    assert log_me(empty, labels) < 5
    # Without features, y ~ N(0, 1/β) with 1/β = |y|²/N = 1/2.
    variance = 0.5
    expected = -0.5 * (np.log(2 * np.pi * variance) + 1)
    assert log_me(empty, labels) == pytest.approx(expected)
