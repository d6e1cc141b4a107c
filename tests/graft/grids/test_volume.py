from pathlib import Path

import numpy as np
import pytest

from graft.grids.volume import Volume

AXES = {
    "RAS": np.diag([0.7, 0.8, 3.0]),
    "LPS, slices first": np.array([[0, 0, -0.7], [0, -0.8, 0], [3.0, 0, 0]]),
}


@pytest.mark.parametrize("name", AXES)
def test_spacing_follows_the_axes_of_the_patient(name):
    assert volume(AXES[name]).spacing == (0.7, 0.8, 3.0)


def test_spacing_of_a_tilted_scan_is_the_length_of_its_voxels():
    angle = np.radians(9)
    tilt = np.array(
        [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]
    )
    assert volume(tilt @ AXES["RAS"]).spacing == (0.7, 0.8, 3.0)


def volume(steps: np.ndarray) -> Volume:
    affine = np.eye(4)
    affine[:3, :3] = steps
    return Volume(Path("scan.nii"), np.zeros((2, 2, 2)), affine)
