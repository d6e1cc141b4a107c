"""LogME and the H-score against their definitions."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from graft.ranking.transferability import h_score, log_me


def drawn(count: int, width: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features of which the first says something of the label, none below 0."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    features = random.normal(size=(count, width))
    features[:, 0] += labels
    return np.abs(features), labels


def best_on_a_grid(features: np.ndarray, labels: np.ndarray, grid: np.ndarray) -> float:
    """Maximise the density of y ~ N(0, I/β + FFᵀ/α) on a grid of α and β; the mean over classes."""
    values, vectors = np.linalg.eigh(features @ features.T)
    best = []
    for label in np.unique(labels):
        y = vectors.T @ (labels == label).astype(float)
        variances = (
            1 / grid[:, None, None] + np.maximum(values, 0) / grid[None, :, None]
        )  # (β, α, N)
        best.append(
            (-0.5 * (np.log(2 * np.pi * variances) + y**2 / variances).sum(2)).max() / len(labels)
        )
    return np.mean(best)


@pytest.mark.parametrize(("count", "width", "classes"), [(12, 3, 2), (10, 15, 3)])
def test_log_me_is_the_greatest_evidence_on_a_grid(count, width, classes):
    features, labels = drawn(count, width, classes, 0)
    expected = best_on_a_grid(features, labels, np.exp(np.linspace(-6, 9, 90)))
    assert expected <= log_me(features, labels) < expected + 0.002


def test_log_me_is_the_highest_of_several_maxima():
    # A loud feature says nothing, a quiet one all: that it is all noise is a lesser maximum.
    random, labels = np.random.default_rng(2), np.arange(20) % 2
    features = np.c_[100 * random.normal(size=20), labels + 0.02 * random.normal(size=20)]
    expected = best_on_a_grid(features, labels, np.exp(np.linspace(-3, 16, 100)))
    assert expected <= log_me(features, labels) < expected + 0.01 and expected > 0


def test_log_me_by_the_density_of_one_pair_of_weights():
    # With one feature that is 1 throughout, y = w + noise: a Gaussian with α and β from a fine
    # grid.
    features, labels = np.ones((6, 1)), np.array([0, 0, 0, 0, 1, 1])
    grid = np.exp(np.linspace(-2, 5, 32))
    best = [
        max(
            multivariate_normal.logpdf((labels == label) * 1.0, cov=np.eye(6) / b + 1 / a)
            for a in grid
            for b in grid
        )
        / 6
        for label in (0, 1)
    ]
    assert np.mean(best) <= log_me(features, labels) < np.mean(best) + 0.005


@pytest.mark.parametrize(
    ("shape", "logme", "shrunk"),
    [
        ((40, 6, 2, 0), -0.825459, 0.0),
        ((30, 50, 3, 1), -0.740455, 0.216314),
        ((65, 32, 2, 2), -0.776403, 0.018854),
    ],
)
def test_the_numbers_of_the_authors_formulas(shape, logme, shrunk):
    # Worked out by the iteration of α and β of You et al., run to its end, and by Ibrahim et al.'s
    # trace over pinv.
    features, labels = drawn(*shape)
    assert log_me(features, labels) == pytest.approx(logme, abs=2e-6)
    assert h_score(features, labels) == pytest.approx(shrunk, abs=2e-6)


def test_log_me_hangs_on_no_scale_and_no_rotation():
    features, labels = drawn(30, 5, 2, 3)
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))
    expected = pytest.approx(log_me(features, labels))
    assert log_me(1e3 * features @ turn, labels) == expected
    assert (
        log_me(np.c_[features, np.zeros((30, 4))], labels) == expected
    )  # dead features say nothing
    assert log_me(features, labels + 7) == expected


def test_features_that_say_more_score_higher():
    features, labels = drawn(60, 5, 2, 4)
    clear = features + 3 * labels[:, None]
    assert log_me(clear, labels) > log_me(features, labels) and h_score(clear, labels) > h_score(
        features, labels
    )


def test_features_that_say_all_or_nothing_give_finite_numbers():
    labels = np.arange(20) % 2
    exact, blank = np.eye(2)[labels], np.zeros((20, 3))
    assert np.isfinite(log_me(exact, labels)) and np.isfinite(log_me(blank, labels))
    assert log_me(exact, labels) > 5 > log_me(blank, labels)
    # No features: y ~ N(0, 1/β), with 1/β = |y|²/N = ½.
    assert log_me(blank, labels) == pytest.approx(-0.5 * (np.log(2 * np.pi * 0.5) + 1))
    assert h_score(blank, labels) == 0


def test_h_score_by_hand(monkeypatch):
    # One feature, class means 0 and 4 of 1 ± 1 around them: between 4, within 1, so 4 / 5.
    features, labels = np.array([[-1.0], [1.0], [3.0], [5.0]]), np.array([0, 0, 1, 1])
    monkeypatch.setattr(
        "sklearn.covariance.ledoit_wolf", lambda x: (np.cov(x.T, bias=True).reshape(1, 1), 0.0)
    )
    assert h_score(features, labels) == pytest.approx(0.8)
    # Shrunk by a quarter: covariance and class means both lose it; one feature is its average.
    monkeypatch.setattr("sklearn.covariance.ledoit_wolf", lambda x: (np.array([[5.0]]), 0.25))
    assert h_score(features, labels) == pytest.approx(0.75 * 0.8)


def test_h_score_of_bao_where_nothing_is_shrunk(monkeypatch):
    features, labels = drawn(200, 4, 3, 5)
    monkeypatch.setattr("sklearn.covariance.ledoit_wolf", lambda x: (np.cov(x.T, bias=True), 0.0))
    means = np.stack([features[labels == label].mean(0) for label in labels])
    expected = np.trace(np.linalg.inv(np.cov(features.T)) @ np.cov(means.T))
    assert h_score(features, labels) == pytest.approx(expected)
