"""The texture of tissues is noise with a known spectrum."""

import numpy as np
import pytest

from graft.common.seeds import generator
from graft.phantom.anatomy import smooth_noise

SEED = 5
AXES = [
    np.arange(48, dtype=np.float32) * 0.9,  # mm
    np.arange(47, dtype=np.float32) * 0.9,  # of no convenient length for a transform
    np.arange(41, dtype=np.float32) * 1.2,
]


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    random = generator(SEED, "noise")
    fields = [smooth_noise(random, AXES, 0.9, 3.0) for _ in range(30)]
    return np.stack(fields)  # (30, 48, 47, 41)


def test_noise_has_a_standard_deviation_of_1_everywhere(noise):
    assert noise.shape == (30, 48, 47, 41)
    assert noise.dtype == np.float32
    assert noise.std() == pytest.approx(1, abs=0.02)
    for axis in (1, 2, 3):
        across = tuple({0, 1, 2, 3} - {axis})
        np.testing.assert_allclose(noise.std(across), 1, atol=0.1)


@pytest.mark.parametrize(("axis", "mm"), [(1, 0.9), (2, 0.9), (3, 1.2)])
def test_noise_has_the_correlation_of_the_sum_of_two_smoothed_noises(noise, axis, mm):
    # White noise after a Gaussian of deviation s has the correlation exp(-d² / (4 s²)) at d mm.
    for steps in (1, 2, 4):
        first = noise.take(range(noise.shape[axis] - steps), axis)
        second = noise.take(range(steps, noise.shape[axis]), axis)
        distance = steps * mm
        terms = [np.exp(-((distance / (2 * length)) ** 2)) for length in (0.9, 3.0)]
        assert (first * second).mean() == pytest.approx(np.mean(terms), abs=0.02)


def test_noise_is_normal(noise):
    thousandth = (np.abs(noise) > 3.2905).mean()
    assert thousandth == pytest.approx(0.001, rel=0.15)
