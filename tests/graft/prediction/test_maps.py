from pathlib import Path

import nibabel
import numpy as np
import pytest

from graft.common.files import InputError
from graft.grids.volume import Volume
from graft.prediction.maps import put_on_scan
from graft.prediction.predictor import load
from graft.scans.patches import patch_grid
from tests.trained import random_scan, write_trained

OBLIQUE = np.array(
    [[-0.9, 0.3, 0.1, 40], [0.3, 1.1, -0.2, -20], [0.0, 0.2, 2.5, 5], [0, 0, 0, 1.0]]
)


def make_volume(affine: np.ndarray, shape=(40, 38, 20)) -> Volume:
    return Volume(Path("scan"), np.zeros(shape, np.float32), affine)


def grid_of(patch: tuple[int, ...]):
    from graft.grids.grid import Grid

    return Grid(patch, (1.0,) * len(patch), (0.0, 1.0))


def test_a_ramp_in_mm_is_the_same_ramp_on_an_oblique_scan():
    volume = make_volume(OBLIQUE)
    centre = volume.to_mm(np.array([20.0, 19, 10]))
    target = patch_grid(volume, centre, grid_of((12, 14, 10)))
    places = target.to_mm(np.indices((12, 14, 10)).reshape(3, -1).T)
    ramp = (places @ [0.5, -0.3, 0.2]).reshape(12, 14, 10).astype(np.float32)
    placed = put_on_scan(ramp, target, volume)
    indices = np.argwhere(placed != 0)
    middles = volume.to_mm(indices)
    away = np.abs(middles - centre)
    assert (away <= [6.001, 7.001, 5.001]).all()  # voxels outside of the patch are 0
    inner = (away <= [5.4, 6.4, 4.4]).all(1)  # beyond the last middles, values are repeated
    expected = middles[inner] @ [0.5, -0.3, 0.2]
    assert inner.sum() > 300
    assert np.allclose(placed[tuple(indices[inner].T)], expected, atol=1e-4)
    all_middles = volume.to_mm(np.argwhere(placed == 0))
    assert (np.abs(all_middles - centre) > [5.99, 6.99, 4.99]).any(1).all()


def test_the_peak_of_a_map_is_at_its_voxel_of_the_scan():
    affine = np.diag([-2.0, 1.0, 3.0, 1.0])
    affine[:3, 3] = (30, -10, 4)
    volume = make_volume(affine)
    centre = volume.to_mm(np.array([10.0, 20, 8]))
    target = patch_grid(volume, centre + 0.5, grid_of((8, 8, 8)))
    peak = np.zeros((8, 8, 8), np.float32)
    peak[3, 3, 3] = 1  # the middle of the voxel lies half a voxel below the centre of the patch
    placed = put_on_scan(peak, target, volume)
    assert np.unravel_index(placed.argmax(), placed.shape) == (10, 20, 8)
    assert placed.max() == pytest.approx(1)


def test_a_plane_meets_one_slice():
    affine = np.diag([0.8, 0.8, 5.0, 1.0])
    volume = make_volume(affine)
    centre = volume.to_mm(np.array([20.0, 19, 7.4]))  # 2 mm above the middle of slice 7
    values = np.ones((10, 10), np.float32)
    placed = put_on_scan(values, patch_grid(volume, centre, grid_of((10, 10))), volume)
    assert np.unique(np.argwhere(placed)[:, 2]).tolist() == [7]
    assert np.count_nonzero(placed) == pytest.approx(10 * 10 / 0.8**2, rel=0.1)


def test_a_patch_that_leaves_the_scan_is_cut_off():
    volume = make_volume(np.eye(4), (6, 6, 6))
    target = patch_grid(volume, np.array([0.0, 0, 0]), grid_of((8, 8, 8)))
    placed = put_on_scan(np.ones((8, 8, 8), np.float32), target, volume)
    assert placed[:4, :4, :4].all()
    assert not placed[4:].any()


@pytest.mark.parametrize("method", ["occlusion", "grad_cam"])
def test_a_map_has_the_grid_of_the_scan_in_its_file(tmp_path, method):
    voxels = random_scan((14, 15, 16))
    nibabel.save(nibabel.Nifti1Image(voxels, OBLIQUE), tmp_path / "scan.nii.gz")
    predictor = load(write_trained(tmp_path / "model"), "cpu")
    place = OBLIQUE @ [7, 7, 8, 1]
    found = predictor.predict(tmp_path / "scan.nii.gz", at=place[:3])
    predictor.explain(found, method).write(tmp_path / "map.nii.gz")
    scan = nibabel.load(tmp_path / "scan.nii.gz")
    written = nibabel.load(tmp_path / "map.nii.gz")
    assert written.shape == scan.shape
    assert np.allclose(written.affine, scan.affine, atol=1e-6)
    values = written.get_fdata()
    assert values.any()
    assert not values[0].any()


def test_a_map_of_a_series_has_the_grid_of_the_series(tmp_path, write_series):
    write_series(tmp_path / "series")
    predictor = load(write_trained(tmp_path / "model", window=(-1000, 1000)), "cpu")
    found = predictor.predict(tmp_path / "series", at=(5, 5, 3), frame="voxel")
    drawn = predictor.explain(found)
    from graft.volumes.volume_files import read_volume

    volume = read_volume(tmp_path / "series")
    assert drawn.values.shape == volume.voxels.shape
    assert np.array_equal(drawn.affine, volume.affine)
    placed = volume.to_mm(np.argwhere(drawn.values))
    away = placed - volume.to_mm(np.array([5.0, 5, 3]))
    assert np.abs(away).max() <= 4.001


def test_an_unknown_method_is_refused(tmp_path):
    nibabel.save(nibabel.Nifti1Image(random_scan(), np.eye(4)), tmp_path / "a.nii")
    predictor = load(write_trained(tmp_path / "model"), "cpu")
    found = predictor.predict(tmp_path / "a.nii", at=(8, 8, 8))
    with pytest.raises(InputError, match="method: got 'lime', expected grad_cam, occlusion"):
        predictor.explain(found, "lime")
