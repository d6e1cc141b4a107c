"""Distances against numbers worked out by hand, and on equal and different domains."""

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


def cloud(count: int, shift: float = 0.0, seed: int = 0, width: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1, (count, width))


def each_alone(x: np.ndarray) -> np.ndarray:
    return np.arange(len(x))


def test_frechet_of_two_lines_by_hand():
    # Means 0 and 3, variances 1 and 4: 3² + 1 + 4 − 2·√(1·4) = 10. One feature is its own average:
    # nothing shrinks.
    assert frechet(np.array([[-1.0], [1.0]]), np.array([[1.0], [5.0]])) == pytest.approx(10)


def test_frechet_of_covariances_that_do_not_commute(monkeypatch):
    monkeypatch.setattr("sklearn.covariance.ledoit_wolf", lambda x: (np.cov(x.T, bias=True), 0.0))
    x, y = (
        cloud(50) @ np.diag([1.0, 2, 3, 4]),
        cloud(50, 1, 1) @ np.random.default_rng(2).normal(size=(4, 4)),
    )
    a, b = np.cov(x.T, bias=True), np.cov(y.T, bias=True)
    middle = np.sqrt(np.linalg.eigvals(a @ b).real).sum()  # of S_x S_y itself
    expected = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(a + b) - 2 * middle
    assert frechet(x, y) == pytest.approx(expected) and frechet(y, x) == pytest.approx(expected)
    assert frechet(x, x) == pytest.approx(0, abs=1e-6)


def test_mmd_of_four_points_by_hand():
    # Points 0 and 0 and points 2 and 2: the distances are 0, 0 and four times 2, the median 2;
    # k(2) = exp(−4 / 8).
    found, p = mmd(np.zeros((2, 1)), np.full((2, 1), 2.0), np.arange(2), np.arange(2), generator(0))
    assert found == pytest.approx(1 + 1 - 2 * np.exp(-0.5))
    # Four patients form two pairs in three ways, of which one is observed: 2 of 6 draws are as
    # large.
    assert p == pytest.approx(1 / 3, abs=0.06)


def test_mmd_counts_no_pairs_within_a_patient():
    x, y = cloud(30), cloud(20, 0.3, 1)
    patients = np.arange(30) // 3
    found, _ = mmd(x, y, patients, each_alone(y), generator(0))
    everything = np.concatenate([x, y])
    owner = np.concatenate([patients, 100 + np.arange(20)])
    squares = ((everything[:, None] - everything) ** 2).sum(2)
    other = owner[:, None] != owner
    kernel = np.exp(-squares / (2 * np.median(squares[other])))
    means = [
        kernel[a][:, b][other[a][:, b]].mean()
        for a, b in (
            (slice(0, 30), slice(0, 30)),
            (slice(30, 50), slice(30, 50)),
            (slice(0, 30), slice(30, 50)),
        )
    ]
    assert found == pytest.approx(means[0] + means[1] - 2 * means[2])


def test_the_p_value_is_uniform_where_patients_are_alike_but_domains_are_one():
    # 8 patients of 10 equal lesions each: permuted lesions would differ in nearly all trials.
    ps = []
    for trial in range(60):
        x, y = (np.repeat(cloud(8, seed=2 * trial + side), 10, 0) for side in (0, 1))
        patients = np.repeat(np.arange(8), 10)
        ps.append(mmd(x, y, patients, patients, generator(trial))[1])
    assert np.mean(np.array(ps) < 0.1) < 0.25 and 0.35 < np.mean(ps) < 0.65


def test_one_domain_is_near_itself_and_far_from_another():
    x, y, z = (
        DomainFeatures(found, each_alone(found))
        for found in (cloud(80), cloud(60, seed=1), cloud(60, 2, 2))
    )
    same, other = compare_domains(x, y, 0, "same"), compare_domains(x, z, 0, "other")
    assert same["mmd_p"] > 0.1 and abs(same["mmd"]) < 0.02 and same["proxy_a"] < 0.5
    assert other["mmd_p"] == 0.001 and other["mmd"] > 0.2 and other["proxy_a"] > 1.5
    assert other["frechet"] > 10 * same["frechet"]
    assert compare_domains(x, z, 0, "other") == other


def test_proxy_a_of_domains_apart_and_of_one_lesion_that_gives_its_patient_away():
    x, y = cloud(20), cloud(20, 9, 1)
    patients = each_alone(x)
    assert proxy_a(x, y, patients, patients, generator(0)) == 2
    # A feature that identifies patients does not help with a patient who is held out.
    x, y = (np.repeat(30 * np.eye(12)[6 * side : 6 * side + 6], 5, 0) for side in (0, 1))
    patients = np.repeat(np.arange(6), 5)
    assert proxy_a(x, y, patients, patients, generator(0)) < 1


def test_the_larger_domain_does_not_outvote_the_smaller():
    x, y = cloud(300), cloud(30, seed=1)
    assert (
        proxy_a(x, y, each_alone(x), each_alone(y), generator(0)) < 0.5
    )  # always predicting x would have an error of 0.09


def test_standardised_features_hang_on_no_scale_and_dead_ones_are_left_out():
    x, y = cloud(30), cloud(10, 1, 1)
    scales = np.array([1e-3, 1.0, 50.0, 7.0])
    a, b = standardise(x, y)
    c, d = standardise(np.c_[x * scales, np.full(30, 0.7)], np.c_[y * scales, np.full(10, 0.7)])
    assert np.allclose(a, c) and np.allclose(b, d) and c.shape == (30, 4)
    assert np.allclose((a.mean(0) + b.mean(0)) / 2, 0) and np.allclose(
        ((a**2).mean(0) + (b**2).mean(0)) / 2, 1
    )


def test_a_network_that_sees_nothing_finds_no_distance():
    x, y = (DomainFeatures(np.ones((count, 3)), np.arange(count)) for count in (12, 9))
    assert compare_domains(x, y, 0) == {
        "frechet": 0,
        "mmd": pytest.approx(0),
        "mmd_p": 1,
        "proxy_a": 0,
    }


def test_one_patient_is_too_few():
    x = cloud(6)
    seen = compare_domains(DomainFeatures(x, np.zeros(6)), DomainFeatures(x, each_alone(x)), 0)
    assert np.isnan([seen["mmd"], seen["mmd_p"], seen["proxy_a"]]).all() and np.isfinite(
        seen["frechet"]
    )


def test_of_a_large_domain_whole_patients_are_drawn(monkeypatch):
    monkeypatch.setattr(distances, "MOST", 50)
    seen = DomainFeatures(cloud(200), np.arange(200) // 4).subsample(generator(0))
    assert len(seen) == 48 and (np.unique(seen.patients, return_counts=True)[1] == 4).all()
    assert len(DomainFeatures(cloud(50), np.arange(50)).subsample(generator(0))) == 50
