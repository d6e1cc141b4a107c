"""What a CT scanner does to the tissue that it sees."""

from dataclasses import replace

import numpy as np
import pytest

from graft.common.seeds import generator
from graft.phantom.ct import CtScan, acquire

SEED = 5
SCAN = CtScan(
    site="site-a",
    shape=(20, 20, 20),
    spacing=(1.0, 1.0, 2.0),  # each slice averages two fine ones
    directions=np.eye(3),
    centre=np.zeros(3),
    noise_hu=1e-3,
    enhancement=1.0,
)


@pytest.mark.parametrize("site", ["site-a", "site-b"])
def test_a_scan_adds_noise_and_averages_fine_slices(site):
    two_slices = np.float32([100, 300])
    tissue = np.tile(two_slices, (60, 60, 20))  # (60, 60, 40)
    scan = replace(SCAN, shape=(60, 60, 20), site=site, noise_hu=20.0)
    volume = acquire(scan, tissue, generator(SEED, "test"))
    assert volume.shape == (60, 60, 20)
    assert volume.mean() == pytest.approx(200, abs=1)
    far_from_the_edge = volume[5:-5, 5:-5]  # where the kernel sees each pixel once
    assert far_from_the_edge.std() == pytest.approx(20, abs=0.3)  # HU, the noise of one slice


def scan_an_edge(site: str) -> np.ndarray:
    """A scan of tissue that is 0 HU on one side and 100 HU on the other."""
    tissue = np.zeros((20, 20, 40), np.float32)
    tissue[10:] = 100
    return acquire(replace(SCAN, site=site), tissue, generator(SEED, "test"))


def test_the_smooth_kernel_does_not_overshoot_at_an_edge():
    assert scan_an_edge("site-a").max() == 100


def test_the_sharp_kernel_overshoots_at_an_edge():
    assert scan_an_edge("site-b").max() > 105
