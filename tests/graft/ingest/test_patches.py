import os
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from graft.common.files import InputError
from graft.data.domain import Grid
from graft.data.volume import Volume
from graft.ingest import volumes
from graft.ingest.patches import cut_mask, cut_patch, smoothing_sigma

SHARED = Path(os.environ.get("GRAFT_SHARED_DATA") or Path(__file__).parents[3] / "shared" / "data")
UNIT = (0.0, 1.0)


def scan(voxels: np.ndarray, affine: np.ndarray | None = None) -> Volume:
    return Volume(Path("scan.nii"), voxels, np.eye(4) if affine is None else affine)


def oblique(
    spacing: tuple[float, ...], shape: tuple[int, ...], turns: tuple[float, ...]
) -> np.ndarray:
    """An affine whose grid has its middle at (10, -20, 30) mm."""
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", turns, degrees=True).as_matrix() * spacing
    affine[:3, 3] = np.array([10, -20, 30]) - affine[:3, :3] @ (np.array(shape) - 1) / 2
    return affine


@pytest.mark.parametrize("turns", ((0, 0, 0), (20, -15, 30), (90, 0, 180)))
@pytest.mark.parametrize(
    "spacing, near", (((0.9, 1.1, 2.0), 1e-3), ((0.5, 0.5, 0.6), 0.06))
)  # the second is smoothed
def test_a_ramp_in_the_world_comes_out_as_that_ramp(turns, spacing, near):
    shape, slopes, window = (70, 72, 64), np.array([1.5, -2.0, 3.0]), (-300.0, 300.0)
    volume = scan(np.empty(shape), oblique(spacing, shape, turns))
    world = volume.to_mm(np.stack(np.indices(shape), -1))  # (*shape, 3)
    volume = scan(world @ slopes, volume.affine)
    centre, grid = np.array([11.3, -19.2, 29.6]), Grid((8, 9, 6), (1.25, 1.0, 1.5), window)
    offsets = (np.stack(np.indices(grid.patch), -1) - (np.array(grid.patch) - 1) / 2) * grid.spacing
    expected = (centre + offsets) @ slopes
    assert np.allclose(cut_patch(volume, centre, grid)[0] * 600 - 300, expected, atol=near)


def test_axes_run_to_the_right_the_front_and_the_head():
    voxels = np.zeros((21, 21, 21))
    voxels[4, 10, 10], voxels[10, 5, 10], voxels[10, 10, 17] = 1, 2, 3
    affine = np.array(
        [[-1.0, 0, 0, 10], [0, -1, 0, 10], [0, 0, 1, -10], [0, 0, 0, 1]]
    )  # stored as LPS
    patch = cut_patch(scan(voxels, affine), np.zeros(3), Grid((21, 21, 21), (1, 1, 1), (0, 3)))[0]
    assert np.isclose(
        [patch[16, 10, 10], patch[10, 15, 10], patch[10, 10, 17]], [1 / 3, 2 / 3, 1]
    ).all()
    assert np.isclose(patch.sum(), 2)


def test_outside_the_scan_is_the_floor_of_the_window():
    patch = cut_patch(
        scan(np.full((9, 9, 9), 400)), np.zeros(3), Grid((8, 8, 8), (1, 1, 1), (-1000, 400))
    )[0]
    assert (patch[:3] == 0).all() and (patch[:, :3] == 0).all()
    assert (patch[4:, 4:, 4:] == 1).all()


def test_the_window_is_applied_before_the_interpolation():
    voxels = np.zeros((9, 9, 9))
    voxels[4] = 3000  # metal: half of 3000 would still be above the window, half of 1 is not
    assert np.isclose(
        cut_patch(scan(voxels), np.full(3, 4.0), Grid((4, 4, 4), (1, 1, 1), (0, 100)))[0, 1:3], 0.5
    ).all()


@pytest.mark.parametrize("turns", ((0, 0, 0), (20, -15, 30), (90, 0, 180)))
def test_a_mask_lands_on_its_lesion_however_the_scan_is_tilted(turns):
    shape, middle, radius = (60, 64, 40), np.array([12.0, -18.5, 31.0]), 6.0
    affine = oblique((0.9, 0.8, 1.5), shape, turns)
    world = scan(np.empty(shape), affine).to_mm(np.stack(np.indices(shape), -1))
    ball = np.linalg.norm(world - middle, axis=-1) < radius
    mask = scan(ball.astype(np.uint8) * 255, affine)  # any value above 0 is inside
    centre, grid = middle + (2, 0, -1), Grid((20, 20, 20), (1, 1, 1), UNIT)
    found = cut_mask(mask, centre, grid)
    offsets = centre + np.stack(np.indices(grid.patch), -1) - 9.5  # mm
    distance = np.linalg.norm(offsets - middle, axis=-1)
    assert found.dtype == np.uint8 and set(np.unique(found)) == {0, 1}
    assert found[distance < radius - 1.1].all() and not found[distance > radius + 1.1].any()
    assert np.isclose(found.sum(), 4 / 3 * np.pi * radius**3, rtol=0.05)
    assert not cut_mask(mask, middle + 19.0, grid).any()


def test_a_mask_of_two_dimensions_is_the_plane_through_the_lesion():
    voxels = np.zeros((12, 12, 12))
    voxels[4:8, 5:7, 6] = 1
    found = cut_mask(scan(voxels), np.array([5.5, 5.5, 6.0]), Grid((6, 6), (1, 1), UNIT))
    assert found.tolist() == voxels[3:9, 3:9, 6].tolist()
    assert not cut_mask(scan(voxels), np.array([5.5, 5.5, 8.0]), Grid((6, 6), (1, 1), UNIT)).any()


def test_two_dimensions_are_the_axial_plane_through_the_lesion():
    voxels = np.random.default_rng(0).random((12, 12, 12))
    stored = scan(voxels.transpose(2, 0, 1), np.eye(4)[[1, 2, 0, 3]])  # axes stored as S, R, A
    patch = cut_patch(stored, np.array([6.0, 5.0, 7.0]), Grid((5, 7), (1, 1), UNIT))
    assert patch.shape == (1, 5, 7)
    assert np.allclose(patch[0], voxels[4:9, 2:9, 7], atol=1e-5)


def test_blur_is_that_of_the_formula():
    # k = 2, 1 and 5: sqrt(3) / 2.35482 = 0.73554, 0, and sqrt(24) / 2.35482 = 2.08041.
    # k = 1.5 is not above 1.5.
    assert np.allclose(
        smoothing_sigma(np.diag([0.5, 1, 0.2, 1]), np.ones(3)), (0.73554, 0, 2.08041), atol=1e-5
    )
    assert not smoothing_sigma(np.diag([1, 1, 1, 1]), np.full(3, 1.5)).any()
    turned = oblique((0.5, 0.5, 0.5), (1, 1, 1), (20, 40, 60))
    assert np.allclose(smoothing_sigma(turned, np.ones(3)), 0.73554, atol=1e-5)


def test_stripes_too_fine_for_the_patch_do_not_fold_back():
    voxels = np.zeros((60, 60, 60))
    voxels[::2] = 1  # sampled at 0, 2.1, 4.2, ... this alone would go from 0 to 1
    patch = cut_patch(scan(voxels), np.full(3, 30.0), Grid((9, 9, 9), (2.1, 2.1, 2.1), UNIT))
    assert (
        np.abs(patch - 0.5).max() < 0.05
    )  # σ = 0.784, which leaves about 0.5 exp(-(0.784 π)² / 2) = 0.024


def test_only_the_crop_is_read():
    class Watched:
        shape, dtype = (500, 500, 500), np.dtype(np.int16)
        read = 0

        def __getitem__(self, where):
            shape = tuple(part.stop - part.start for part in where)
            self.read += np.prod(shape)
            return np.random.default_rng(0).random(shape)

    voxels = Watched()
    cut_patch(scan(voxels), np.full(3, 250.0), Grid((32, 32, 32), (1, 1, 1), UNIT))
    assert 32**3 < voxels.read < 40**3


@pytest.mark.parametrize("index", ((-0.6, 5, 5), (5, 5, 9.6)))
def test_a_lesion_outside_its_volume_is_refused(index):
    with pytest.raises(
        InputError,
        match="scan.nii: the lesion at .* outside the scan, expected one of its .10, 10, 10. vox",
    ):
        cut_patch(scan(np.ones((10, 10, 10))), np.array(index), Grid((4, 4, 4), (1, 1, 1), UNIT))


@pytest.mark.parametrize("value", (np.nan, np.inf))
def test_numbers_that_are_none_are_refused_in_the_patch_alone(value):
    voxels = np.random.default_rng(0).random((30, 30, 30))
    voxels[2, 2, 2] = value
    grid = Grid((4, 4, 4), (1, 1, 1), UNIT)
    assert cut_patch(scan(voxels), np.full(3, 20.0), grid).max() > 0
    with pytest.raises(InputError, match="has 1 voxels around it that are NaN or infinite"):
        cut_patch(scan(voxels), np.full(3, 3.0), grid)


def test_a_constant_patch_is_refused():
    voxels = np.random.default_rng(0).random((20, 20, 20))
    with pytest.raises(InputError, match=r"0 everywhere after the window \[100, 200\]"):
        cut_patch(scan(voxels), np.full(3, 10.0), Grid((4, 4, 4), (1, 1, 1), (100, 200)))


def test_a_real_lesion_lies_in_the_middle_of_its_patch():
    folder = SHARED / "ct_volume"
    if not folder.is_dir():
        pytest.skip(f"no real CT at {folder}: set GRAFT_SHARED_DATA to try it")
    image, mask = (
        volumes.read_volume(folder / f"lung1_{name}.nrrd") for name in ("image", "label")
    )
    centre, diameter = volumes.locate_lesion(mask, image)
    patch = cut_patch(image, centre, Grid((32, 32, 32), (1.25, 1.25, 1.25), (-1000, 400)))[0]
    radius = np.linalg.norm((np.stack(np.indices(patch.shape), -1) - 15.5) * 1.25, axis=-1)  # mm
    shell = (radius > diameter / 2 + 3) & (radius < diameter / 2 + 6)
    assert 10 < diameter < 20
    assert (
        patch[radius < diameter / 4].mean() > 0.6 > 0.4 > np.median(patch[shell])
    )  # tissue in aerated lung
