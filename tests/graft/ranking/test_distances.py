"""Distances by hand, on samples of one domain and on samples of two."""

import numpy as np
import pytest

from graft.common.seeds import generator
from graft.ranking import distances
from graft.ranking.distances import (
    DomainFeatures,
    compare_domains,
    frechet,
    mmd,
    proxy_a,
    standardise,
)


def gaussian(count: int, mean: float = 0.0, seed: int = 0, width: int = 4) -> np.ndarray:
    """Features with standard deviation 1, (count, width)."""
    return np.random.default_rng(seed).normal(mean, 1, (count, width))


def one_patient_each(features: np.ndarray) -> np.ndarray:
    return np.arange(len(features))


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


def test_mmd_of_four_points_by_hand():
    x = np.zeros((2, 1))
    y = np.full((2, 1), 2.0)
    found, p = mmd(x, y, one_patient_each(x), one_patient_each(y), generator(0))
    # The distances are 0, 0 and four times 2, with median 2, so k(2) = exp(-4 / 8).
    assert found == pytest.approx(1 + 1 - 2 * np.exp(-0.5))
    # Four patients form two pairs in three ways. One way is observed, so p is one third.
    assert p == pytest.approx(1 / 3, abs=0.06)


def test_mmd_leaves_out_pairs_of_one_patient():
    x = gaussian(30)
    y = gaussian(20, 0.3, seed=1)
    patients_x = np.arange(30) // 3
    patients_y = one_patient_each(y)
    found, _ = mmd(x, y, patients_x, patients_y, generator(0))
    both = np.concatenate([x, y])
    patients = np.concatenate([patients_x, 100 + patients_y])
    difference = both[:, None] - both
    squares = (difference**2).sum(2)  # (50, 50)
    other_patient = patients[:, None] != patients
    bandwidth = np.median(squares[other_patient])
    kernel = np.exp(-squares / (2 * bandwidth))

    def mean_kernel(rows, columns):
        counted = other_patient[rows, columns]
        return kernel[rows, columns][counted].mean()

    in_x = slice(0, 30)
    in_y = slice(30, 50)
    expected = mean_kernel(in_x, in_x) + mean_kernel(in_y, in_y) - 2 * mean_kernel(in_x, in_y)
    assert found == pytest.approx(expected)


def test_p_is_uniform_if_lesions_of_a_patient_are_equal_and_the_domains_do_not_differ():
    # 8 patients of 10 equal lesions each. Permuting lesions would find a difference in nearly
    # all trials.
    patients = np.repeat(np.arange(8), 10)
    ps = []
    for trial in range(60):
        x = np.repeat(gaussian(8, seed=2 * trial), 10, axis=0)
        y = np.repeat(gaussian(8, seed=2 * trial + 1), 10, axis=0)
        _, p = mmd(x, y, patients, patients, generator(trial))
        ps.append(p)
    assert np.mean(np.array(ps) < 0.1) < 0.25
    assert 0.35 < np.mean(ps) < 0.65


def domain_features(features: np.ndarray) -> DomainFeatures:
    return DomainFeatures(features, one_patient_each(features))


def test_two_samples_of_one_domain_are_near_and_two_domains_are_far():
    x = domain_features(gaussian(80))
    same_domain = domain_features(gaussian(60, seed=1))
    other_domain = domain_features(gaussian(60, mean=2, seed=2))
    near = compare_domains(x, same_domain, 0, "same")
    assert near["mmd_p"] > 0.1
    assert abs(near["mmd"]) < 0.02
    assert near["proxy_a"] < 0.5
    far = compare_domains(x, other_domain, 0, "other")
    assert far["mmd_p"] == 0.001
    assert far["mmd"] > 0.2
    assert far["proxy_a"] > 1.5
    assert far["frechet"] > 10 * near["frechet"]
    again = compare_domains(x, other_domain, 0, "other")
    assert again == far


def test_proxy_a_of_separate_domains_is_2():
    x = gaussian(20)
    y = gaussian(20, mean=9, seed=1)
    patients = one_patient_each(x)
    assert proxy_a(x, y, patients, patients, generator(0)) == 2


def test_features_that_identify_patients_do_not_separate_domains():
    # Each patient has a feature of its own, which is useless for a patient who is held out.
    identities = 30 * np.eye(12)
    x = np.repeat(identities[:6], 5, axis=0)
    y = np.repeat(identities[6:], 5, axis=0)
    patients = np.repeat(np.arange(6), 5)
    assert proxy_a(x, y, patients, patients, generator(0)) < 1


def test_the_larger_domain_does_not_outvote_the_smaller():
    x = gaussian(300)
    y = gaussian(30, seed=1)
    found = proxy_a(x, y, one_patient_each(x), one_patient_each(y), generator(0))
    # Without balancing, always answering x would be wrong for only 30 of 330 lesions.
    assert found < 0.5


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


def test_constant_features_have_no_distance():
    x = domain_features(np.ones((12, 3)))
    y = domain_features(np.ones((9, 3)))
    assert compare_domains(x, y, 0) == {
        "frechet": 0,
        "mmd": pytest.approx(0),
        "mmd_p": 1,
        "proxy_a": 0,
    }


def test_a_domain_of_one_patient_has_a_frechet_distance_only():
    x = gaussian(6)
    one_patient = DomainFeatures(x, np.zeros(6))
    found = compare_domains(one_patient, domain_features(x), 0)
    assert np.isnan(found["mmd"])
    assert np.isnan(found["mmd_p"])
    assert np.isnan(found["proxy_a"])
    assert np.isfinite(found["frechet"])


def test_whole_patients_are_drawn_from_a_large_domain(monkeypatch):
    monkeypatch.setattr(distances, "MOST", 50)
    large = DomainFeatures(gaussian(200), np.arange(200) // 4)
    drawn = large.subsample(generator(0))
    # 12 patients of 4 lesions each are the most that fit into 50.
    assert len(drawn) == 48
    _, lesions_per_patient = np.unique(drawn.patients, return_counts=True)
    assert (lesions_per_patient == 4).all()
    small = domain_features(gaussian(50))
    assert len(small.subsample(generator(0))) == 50
