"""Secret random numbers: the same under one key, others under another, and well distributed."""

import hashlib
import hmac

import numpy as np
import pytest
from scipy import stats

from graft.keys.stream import SecretStream

STREAM = SecretStream("a key of these tests", "training", 7)


def test_numbers_are_shake_of_an_hmac_of_purpose_and_place():
    message = b"('training', 7, '|', 'noise', 3)"
    seed = hmac.new(b"a key of these tests", message, hashlib.sha256).digest()
    content = hashlib.shake_256(seed).digest(16)
    expected = []
    for start in (0, 8):
        whole = int.from_bytes(content[start : start + 8], "little") // 2**11
        expected.append((2 * whole + 1) / 2**54)
    assert STREAM.uniform(2, "noise", 3).tolist() == expected


@pytest.mark.parametrize(
    "other",
    [
        SecretStream("another key of these tests", "training", 7),
        SecretStream("a key of these tests", "training", 8),
    ],
)
def test_another_key_or_purpose_gives_other_numbers(other):
    same = SecretStream("a key of these tests", "training", 7)
    ours = STREAM.normal(1000, "noise", 1)
    assert np.array_equal(ours, same.normal(1000, "noise", 1))
    correlation = np.corrcoef(ours, other.normal(1000, "noise", 1))[0, 1]
    assert abs(correlation) < 0.15  # five standard deviations of independent numbers
    assert STREAM.generator("order").random() != other.generator("order").random()


def test_a_place_is_not_confused_with_the_purpose_of_another_stream():
    one, other = SecretStream("k" * 20, "a", "b"), SecretStream("k" * 20, "a")
    assert one.uniform(1, "c") != other.uniform(1, "b", "c")


def test_numbers_are_uniform_and_normal():
    assert stats.kstest(STREAM.uniform(20_000, "u"), "uniform").pvalue > 1e-4
    normal = STREAM.normal(20_000, "n")
    assert stats.kstest(normal, "norm").pvalue > 1e-4
    assert np.isfinite(normal).all()
