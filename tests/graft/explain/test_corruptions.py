import numpy as np
import pytest

from graft.common.seeds import generator
from graft.explain.corruptions import KINDS, Corruption, corrupt_images, corruption_sweep

IMAGES_3D = np.random.default_rng(0).uniform(0.2, 0.8, (3, 2, 12, 10, 8)).astype(np.float16)
IMAGES_2D = IMAGES_3D[..., 0]


def corrupted(
    name: str,
    amount: float,
    images: np.ndarray = IMAGES_3D,
    spacing: list[float] | None = None,
) -> np.ndarray:
    corruption = Corruption(name, amount, "")
    return corrupt_images(corruption, images, spacing, generator(0, "test"))


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("images", (IMAGES_3D, IMAGES_2D), ids=("3D", "2D"))
def test_an_amount_of_0_changes_nothing(name, images):
    assert np.array_equal(corrupted(name, 0, images), images)


# Two-dimensional images have no slices.
KINDS_2D = [name for name in KINDS if name != "slice thickness"]
CASES = [(name, IMAGES_3D) for name in KINDS] + [(name, IMAGES_2D) for name in KINDS_2D]


@pytest.mark.parametrize(("name", "images"), CASES)
def test_corrupted_images_stay_in_range_and_the_same_draw_gives_the_same_bytes(name, images):
    found = corrupted(name, 2.0, images)
    assert found.shape == images.shape
    assert found.dtype == np.float32
    assert not np.array_equal(found, images)
    assert found.min() >= 0
    assert found.max() <= 1
    again = corrupted(name, 2.0, images)
    assert np.array_equal(found, again)


@pytest.mark.parametrize("name", KINDS)
def test_images_are_corrupted_in_the_same_way_some_at_a_time(name):
    corruption = Corruption(name, 2.0, "")
    random = generator(0, "test")
    parts = [corrupt_images(corruption, part, None, random) for part in np.split(IMAGES_3D, [2])]
    assert np.array_equal(np.concatenate(parts), corrupted(name, 2.0))


def test_noise_has_its_standard_deviation_and_differs_between_images():
    grey = np.full((2, 1, 20, 20, 20), 0.5)
    noise = corrupted("noise", 0.05, grey) - 0.5
    assert noise.std() == pytest.approx(0.05, rel=0.03)
    assert abs(noise.mean()) < 0.002
    first, second = noise.reshape(2, -1)
    correlation = np.corrcoef(first, second)[0, 1]
    assert abs(correlation) < 0.05


def test_blur_is_a_gaussian_in_millimetres():
    point = np.zeros((1, 1, 21, 21, 21))
    point[0, 0, 10, 10, 10] = 1
    blurred = corrupted("blur", 2.0, point, spacing=[1.0, 1.0, 2.0])[0, 0]
    distance = np.arange(21) - 10.0  # in voxels
    along_first = blurred.sum((1, 2))
    variance = (along_first * distance**2).sum() / along_first.sum()
    assert np.sqrt(variance) == pytest.approx(2.0, rel=0.05)
    # 2 mm are one voxel along the last axis.
    along_last = blurred.sum((0, 1))
    variance = (along_last * distance**2).sum() / along_last.sum()
    assert np.sqrt(variance) == pytest.approx(1.0, rel=0.05)


def test_blur_leaves_a_constant_unchanged():
    constant = np.full((1, 1, 9, 9), 0.7)
    assert np.allclose(corrupted("blur", 2.0, constant), 0.7, atol=1e-4)


def test_a_thicker_slice_is_the_mean_of_the_slices_within_it():
    images = np.zeros((1, 1, 4, 4, 8), np.float32)
    images[..., 2:4] = 1
    spacing = [1.0, 1.0, 1.5]
    thick = corrupted("slice thickness", 3.0, images, spacing)
    # A slice of 3 mm is two of 1.5 mm. The means are 0, 1, 0, 0 at positions 0.5, 2.5, 4.5, 6.5.
    # The values between the positions are interpolated.
    expected = [0, 0.25, 0.75, 0.75, 0.25, 0, 0, 0]
    assert np.allclose(thick[0, 0, 1, 1], expected, atol=1e-5)
    # Slices of 1.5 mm are already thicker than 1 mm.
    assert np.array_equal(corrupted("slice thickness", 1.0, images, spacing), images)


def test_the_window_shifts_up_and_down_and_is_clipped():
    images = np.array([0.0, 0.5, 0.95]).reshape(1, 1, 1, 3)
    up = corrupted("window shift up", 0.1, images)
    assert np.allclose(up.ravel(), [0.1, 0.6, 1])
    down = corrupted("window shift down", 0.1, images)
    assert np.allclose(down.ravel(), [0, 0.4, 0.85])


def test_the_sweep_has_three_amounts_of_each_kind():
    sweep = corruption_sweep(3, [1.0, 1.0, 2.5])
    names = {corruption.name for corruption in sweep}
    assert names == set(KINDS)
    assert len(sweep) == 3 * len(KINDS)


def test_slice_thickness_is_in_millimetres_if_the_spacing_is_known():
    sweep = corruption_sweep(3, [1.0, 1.0, 2.5])
    found = []
    for corruption in sweep:
        if corruption.name == "slice thickness":
            found.append((corruption.amount, corruption.unit))
    # 2, 3 and 5 times the spacing of 2.5 mm.
    assert found == [(5, "mm"), (7.5, "mm"), (12.5, "mm")]


def test_lengths_are_in_voxels_if_the_spacing_is_unknown():
    units = set()
    for corruption in corruption_sweep(3, None):
        if corruption.name in ("blur", "slice thickness"):
            units.add(corruption.unit)
    assert units == {"voxels"}


def test_two_dimensions_have_no_slice_thickness():
    names = {corruption.name for corruption in corruption_sweep(2, None)}
    assert "slice thickness" not in names


def test_an_unknown_corruption_raises_an_error():
    with pytest.raises(ValueError, match="corruption: got 'rain', expected one of noise, blur"):
        corrupted("rain", 1.0)
