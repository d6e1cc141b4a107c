import os
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from graft.common.files import InputError
from graft.grids.grid import Grid
from graft.grids.volume import Volume
from graft.scans.patches import cut_mask, cut_patch, smoothing_sigma
from graft.volumes import volume_files

ROOT = Path(__file__).parents[3]
SHARED = Path(os.environ.get("GRAFT_SHARED_DATA") or ROOT.parent / "shared" / "data")
UNIT_WINDOW = (0.0, 1.0)
Shape = tuple[int, ...]
Triple = tuple[float, float, float]
AXIAL_GRID = Grid((6, 6), (1, 1), UNIT_WINDOW)

# Rotations of the scan about x, y and z in degrees.
ROTATIONS = (
    (0, 0, 0),
    (20, -15, 30),
    (90, 0, 180),
)


def cubic_grid(size: int, window: tuple[float, float] = UNIT_WINDOW, spacing: float = 1.0) -> Grid:
    return Grid((size,) * 3, (spacing,) * 3, window)


def random_scan(size: int) -> Volume:
    shape = (size, size, size)
    voxels = np.random.default_rng(0).random(shape)
    return make_scan(voxels)


def empty_voxels(size: int) -> np.ndarray:
    return np.zeros((size, size, size))


def cut_at(scan: Volume, centre: Triple, grid: Grid) -> np.ndarray:
    """The only channel of the patch around a position in mm."""
    (patch,) = cut_patch(scan, np.array(centre), grid)
    return patch


def patch_positions(centre: np.ndarray, grid: Grid) -> np.ndarray:
    """The position of each voxel of a patch in mm, (*patch, 3)."""
    middle_index = (np.array(grid.patch) - 1) / 2
    indices = np.stack(np.indices(grid.patch), -1)
    return centre + (indices - middle_index) * grid.spacing


def make_scan(voxels: np.ndarray, affine: np.ndarray | None = None) -> Volume:
    if affine is None:
        affine = np.eye(4)
    return Volume(Path("scan.nii"), voxels, affine)


def rotated_affine(spacing: Triple, shape: Shape, degrees: Triple) -> np.ndarray:
    """An affine whose grid has its middle at (10, -20, 30) mm."""
    rotation = Rotation.from_euler("xyz", degrees, degrees=True)
    middle_index = (np.array(shape) - 1) / 2
    affine = np.eye(4)
    affine[:3, :3] = rotation.as_matrix() * spacing
    middle_offset = affine[:3, :3] @ middle_index
    affine[:3, 3] = np.array([10, -20, 30]) - middle_offset
    return affine


def voxel_positions(shape: Shape, affine: np.ndarray) -> np.ndarray:
    """The position of each voxel in mm, (*shape, 3)."""
    indices = np.stack(np.indices(shape), -1)
    return make_scan(np.empty(shape), affine).to_mm(indices)


def cut_with_monai(scan: Volume, centre: np.ndarray, grid: Grid) -> np.ndarray:
    """The patch as the transforms of MONAI make it from the whole scan."""
    from monai.data.meta_tensor import MetaTensor
    from monai.transforms.intensity.array import GaussianSmooth, ScaleIntensityRange
    from monai.transforms.spatial.array import SpatialResample

    voxels = torch.from_numpy(np.asarray(scan.voxels, np.float32))[None]
    image = MetaTensor(voxels, affine=torch.from_numpy(scan.affine))
    image = ScaleIntensityRange(*grid.window, 0.0, 1.0, clip=True)(image)
    sigma = smoothing_sigma(scan.affine, np.array(grid.spacing))
    if sigma.any():
        image = GaussianSmooth(sigma.tolist())(image)
    affine = np.diag([*grid.spacing, 1.0])
    affine[:3, 3] = centre - np.array(grid.spacing) * (np.array(grid.patch) - 1) / 2
    resample = SpatialResample(mode="bilinear", padding_mode="zeros", dtype=np.float64)
    return resample(image, torch.from_numpy(affine), spatial_size=grid.patch).numpy()


@pytest.mark.parametrize("degrees", ROTATIONS)
@pytest.mark.parametrize("spacing", [(0.9, 1.1, 2.0), (0.5, 0.5, 0.6), (0.3, 2.0, 1.0)])
@pytest.mark.parametrize("place", [(20, 22, 18), (2, 3, 3)], ids=["inside", "corner"])
def test_a_patch_is_that_of_monai(degrees, spacing, place):
    shape = (40, 44, 36)
    voxels = np.random.default_rng(0).normal(0, 300, shape).astype(np.int16)
    scan = make_scan(voxels, rotated_affine(spacing, shape, degrees))
    centre = scan.to_mm(np.array(place, float))
    grid = Grid((8, 9, 6), (1.25, 1.0, 1.5), (-1000.0, 400.0))
    assert np.allclose(cut_patch(scan, centre, grid), cut_with_monai(scan, centre, grid), atol=1e-6)


@pytest.mark.parametrize("degrees", ROTATIONS)
@pytest.mark.parametrize(
    ("spacing", "tolerance"),
    [
        ((0.9, 1.1, 2.0), 1e-3),
        ((0.5, 0.5, 0.6), 0.06),  # smoothed before it is sampled
    ],
)
def test_a_linear_ramp_in_mm_is_the_same_ramp_in_the_patch(degrees, spacing, tolerance):
    shape = (70, 72, 64)
    slopes = np.array([1.5, -2.0, 3.0])  # per mm
    affine = rotated_affine(spacing, shape, degrees)
    volume = make_scan(voxel_positions(shape, affine) @ slopes, affine)
    centre = np.array([11.3, -19.2, 29.6])
    window = (-300.0, 300.0)
    grid = Grid((8, 9, 6), (1.25, 1.0, 1.5), window)

    patch = cut_at(volume, centre, grid)

    ramp = patch_positions(centre, grid) @ slopes
    intensities = patch * 600 - 300  # undoes the window
    assert np.allclose(intensities, ramp, atol=tolerance)


def test_patch_axes_point_right_to_the_front_and_to_the_head():
    voxels = empty_voxels(21)
    voxels[4, 10, 10] = 1
    voxels[10, 5, 10] = 2
    voxels[10, 10, 17] = 3
    affine = np.diag([-1.0, -1.0, 1.0, 1.0])  # the first two axes are stored in LPS
    affine[:3, 3] = (10, 10, -10)
    scan = make_scan(voxels, affine)

    grid = cubic_grid(21, window=(0, 3))
    patch = cut_at(scan, (0, 0, 0), grid)

    # Reversing an axis of 21 voxels moves index 4 to 16 and index 5 to 15.
    assert np.isclose(patch[16, 10, 10], 1 / 3)
    assert np.isclose(patch[10, 15, 10], 2 / 3)
    assert np.isclose(patch[10, 10, 17], 1)
    assert np.isclose(patch.sum(), 2)  # nothing else is bright


def test_voxels_outside_the_scan_get_the_lower_end_of_the_window():
    scan = make_scan(np.full((9, 9, 9), 400))
    grid = cubic_grid(8, window=(-1000, 400))
    patch = cut_at(scan, (0, 0, 0), grid)
    assert (patch[:3] == 0).all()
    assert (patch[:, :3] == 0).all()
    assert (patch[4:, 4:, 4:] == 1).all()


def test_the_window_is_applied_before_the_interpolation():
    voxels = empty_voxels(9)
    voxels[4] = 3000  # metal: half of 3000 would still be above the window, half of 1 is not
    grid = cubic_grid(4, window=(0, 100))
    patch = cut_at(make_scan(voxels), (4, 4, 4), grid)
    assert np.isclose(patch[1:3], 0.5).all()


@pytest.mark.parametrize("degrees", ROTATIONS)
def test_a_mask_matches_its_lesion_in_a_rotated_scan(degrees):
    shape = (60, 64, 40)
    lesion_centre = np.array([12.0, -18.5, 31.0])
    radius = 6.0  # mm
    affine = rotated_affine((0.9, 0.8, 1.5), shape, degrees)
    voxel_offsets = voxel_positions(shape, affine) - lesion_centre
    ball = np.linalg.norm(voxel_offsets, axis=-1) < radius
    mask = make_scan(ball.astype(np.uint8) * 255, affine)  # any value above 0 is inside
    patch_centre = lesion_centre + (2, 0, -1)
    grid = cubic_grid(20)

    found = cut_mask(mask, patch_centre, grid)

    offsets = patch_positions(patch_centre, grid) - lesion_centre
    distance = np.linalg.norm(offsets, axis=-1)
    ball_volume = 4 / 3 * np.pi * radius**3  # in mm³, and each voxel of the patch has 1 mm³
    assert found.dtype == np.uint8
    assert set(np.unique(found)) == {0, 1}
    assert found[distance < radius - 1.1].all()
    assert not found[distance > radius + 1.1].any()
    assert np.isclose(found.sum(), ball_volume, rtol=0.05)
    assert not cut_mask(mask, lesion_centre + 19.0, grid).any()


def test_a_mask_of_two_dimensions_is_the_plane_through_the_lesion():
    voxels = empty_voxels(12)
    voxels[4:8, 5:7, 6] = 1
    mask = make_scan(voxels)
    centre = np.array([5.5, 5.5, 6.0])
    two_slices_above = cut_mask(mask, centre + (0, 0, 2), AXIAL_GRID)
    in_the_lesion = cut_mask(mask, centre, AXIAL_GRID)
    assert np.array_equal(in_the_lesion, voxels[3:9, 3:9, 6])
    assert not two_slices_above.any()


def test_a_patch_of_two_dimensions_is_the_axial_plane_through_the_lesion():
    voxels = random_scan(12).voxels
    affine = np.eye(4)[[1, 2, 0, 3]]  # axes stored as S, R, A
    stored = make_scan(voxels.transpose(2, 0, 1), affine)
    centre = np.array([6.0, 5.0, 7.0])
    grid = Grid((5, 7), (1, 1), UNIT_WINDOW)
    patch = cut_patch(stored, centre, grid)
    plane = voxels[4:9, 2:9, 7]
    assert patch.shape == (1, 5, 7)
    assert np.allclose(patch[0], plane, atol=1e-5)


def test_the_smoothing_follows_its_formula():
    # k is the target spacing over the scan's: σ = sqrt(k² - 1) / 2.35482 voxels if k > 1.5.
    # k = 2, 1 and 5: sqrt(3) / 2.35482 = 0.73554, 0, and sqrt(24) / 2.35482 = 2.08041.
    target_mm = np.ones(3)
    affine = np.diag([0.5, 1, 0.2, 1])
    anisotropic = smoothing_sigma(affine, target_mm)
    assert np.allclose(anisotropic, (0.73554, 0, 2.08041), atol=1e-5)

    # k = 1.5 is not above 1.5.
    at_the_limit = smoothing_sigma(np.eye(4), np.full(3, 1.5))
    assert not at_the_limit.any()

    spacing = (0.5, 0.5, 0.5)
    rotated = rotated_affine(spacing, (1, 1, 1), degrees=(20, 40, 60))
    isotropic = smoothing_sigma(rotated, target_mm)
    assert np.allclose(isotropic, 0.73554, atol=1e-5)


def test_stripes_finer_than_the_patch_do_not_alias():
    voxels = empty_voxels(60)
    voxels[::2] = 1  # sampled at 0, 2.1, 4.2, ... without smoothing, it would vary from 0 to 1
    grid = cubic_grid(9, spacing=2.1)
    patch = cut_at(make_scan(voxels), (30, 30, 30), grid)
    # σ = 0.784 leaves an amplitude of about 0.5 exp(-(0.784 π)² / 2) = 0.024.
    assert np.abs(patch - 0.5).max() < 0.05


class CountingVoxels:
    """Voxels that count how many of them were read."""

    shape = (500, 500, 500)
    dtype = np.dtype(np.int16)
    count = 0

    def __getitem__(self, where: tuple[slice, ...]) -> np.ndarray:
        shape = tuple(part.stop - part.start for part in where)
        self.count += np.prod(shape)
        return np.random.default_rng(0).random(shape)


def test_only_the_crop_is_read():
    voxels = CountingVoxels()
    cut_at(make_scan(voxels), (250, 250, 250), cubic_grid(32))
    assert voxels.count > 32**3
    assert voxels.count < 40**3


@pytest.mark.parametrize("index", [(-0.6, 5, 5), (5, 5, 9.6)])
def test_a_lesion_outside_its_volume_is_refused(index):
    scan = make_scan(np.ones((10, 10, 10)))
    message = "scan.nii: the lesion at .* outside the scan, expected one of its .10, 10, 10. vox"
    with pytest.raises(InputError, match=message):
        cut_at(scan, index, cubic_grid(4))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_voxel_that_is_not_finite_is_refused_only_inside_the_patch(value):
    scan = random_scan(30)
    scan.voxels[2, 2, 2] = value
    grid = cubic_grid(4)
    elsewhere = cut_at(scan, (20, 20, 20), grid)
    assert elsewhere.max() > 0
    with pytest.raises(InputError, match="has 1 voxels around it that are NaN or infinite"):
        cut_at(scan, (3, 3, 3), grid)


def test_a_constant_patch_is_refused():
    grid = cubic_grid(4, window=(100, 200))
    with pytest.raises(InputError, match=r"0 everywhere after the window \[100, 200\]"):
        cut_at(random_scan(20), (10, 10, 10), grid)


def test_a_real_lesion_is_in_the_middle_of_its_patch():
    folder = SHARED / "ct_volume"
    if not folder.is_dir():
        pytest.skip(f"no real CT at {folder}: set GRAFT_SHARED_DATA to try it")
    image = volume_files.read_volume(folder / "lung1_image.nrrd")
    mask = volume_files.read_volume(folder / "lung1_label.nrrd")
    centre, diameter = volume_files.locate_lesion(mask, image)
    grid = cubic_grid(32, window=(-1000, 400), spacing=1.25)

    patch = cut_at(image, centre, grid)

    offsets = patch_positions(np.zeros(3), grid)
    radius = np.linalg.norm(offsets, axis=-1)  # mm
    beyond_surface = radius - diameter / 2  # mm
    shell = (beyond_surface > 3) & (beyond_surface < 6)
    assert diameter > 10
    assert diameter < 20
    # The lesion is soft tissue (0.6 is -160 HU) in aerated lung (0.4 is -440 HU).
    assert patch[radius < diameter / 4].mean() > 0.6
    assert np.median(patch[shell]) < 0.4
