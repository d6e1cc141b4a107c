import numpy as np
import pytest

from graft.duplicates import neighbours
from graft.duplicates.neighbours import all_near_pairs, draw_directions, hash_digits, near_pairs

DIGITS = 128
COUNT = 300
DIMENSIONS = 40


def unit_vectors(seed: int, count: int = COUNT) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((count, DIMENSIONS))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def near(vectors: np.ndarray, correlation: float) -> np.ndarray:
    """Vectors that correlate with each of others by exactly this."""
    others = unit_vectors(1, len(vectors))
    others -= (others * vectors).sum(1, keepdims=True) * vectors
    others /= np.linalg.norm(others, axis=1, keepdims=True)
    return correlation * vectors + np.sqrt(1 - correlation**2) * others


def digits_of(vectors: np.ndarray, groups: int = 1, signed: bool = False) -> np.ndarray:
    columns = np.array_split(np.arange(DIMENSIONS), groups)
    directions = draw_directions("test", columns, DIGITS, signed)
    return hash_digits(vectors, columns, directions, signed)


def test_vectors_that_correlate_are_found_among_others():
    vectors = unit_vectors(0)
    digits = digits_of(np.concatenate([vectors, near(vectors, 0.92)]))
    found = {tuple(pair) for pair in all_near_pairs(digits, agreeing=24).tolist()}
    expected = {(number, COUNT + number) for number in range(COUNT)}
    assert expected <= found
    assert len(found) < 3 * COUNT


def test_a_change_of_sign_of_a_group_keeps_the_digits_unless_they_are_signed():
    vectors = unit_vectors(0)
    mirrored = vectors.copy()
    mirrored[:, :20] *= -1
    assert np.array_equal(digits_of(vectors, groups=2), digits_of(mirrored, groups=2))
    assert np.array_equal(digits_of(vectors), digits_of(-vectors))
    assert (digits_of(vectors, signed=True) != digits_of(-vectors, signed=True)).all()


def test_digits_do_not_depend_on_the_vectors_beside():
    vectors = unit_vectors(0)
    assert np.array_equal(digits_of(vectors)[100:120], digits_of(vectors[100:120]))


def test_only_vectors_of_two_groups_are_paired():
    vectors = unit_vectors(0, count=50)
    digits = digits_of(np.concatenate([vectors, vectors, near(vectors, 0.99)]))
    groups = np.repeat([0, 1], [100, 50])
    found = {tuple(pair) for pair in all_near_pairs(digits, groups, agreeing=64).tolist()}
    expected = {(number, 100 + number % 50) for number in range(100)}
    assert found == expected


@pytest.mark.parametrize("in_groups", [False, True])
def test_equal_vectors_are_not_all_compared_with_each_other(in_groups):
    digits = np.zeros((1000, DIGITS), np.uint8)
    groups = np.repeat([0, 1], 500) if in_groups else None
    batches = [len(pairs) for pairs in near_pairs(digits, groups)]
    assert max(batches) <= 2 * neighbours.WINDOW * 1000
    if not in_groups:  # they are connected all the same
        found = all_near_pairs(digits)
        assert {(number, number + 1) for number in range(999)} <= {tuple(p) for p in found.tolist()}


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_vectors_have_no_pair(count):
    assert all_near_pairs(digits_of(unit_vectors(0, count))).shape == (0, 2)
