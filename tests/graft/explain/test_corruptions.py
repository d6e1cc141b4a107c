import numpy as np
import pytest

from graft.common.seeds import generator
from graft.explain.corruptions import KINDS, Corruption, corrupt_images, corruption_sweep

IMAGES = np.random.default_rng(0).uniform(0.2, 0.8, (3, 2, 12, 10, 8)).astype(np.float16)


def worn(
    name: str, amount: float, images: np.ndarray = IMAGES, spacing: list[float] | None = None
) -> np.ndarray:
    return corrupt_images(Corruption(name, amount, ""), images, spacing, generator(0, "test"))


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("images", (IMAGES, IMAGES[..., 0]), ids=("3D", "2D"))
def test_an_amount_of_0_changes_nothing_and_the_same_draw_gives_the_same_bytes(name, images):
    assert np.array_equal(worn(name, 0, images), images)
    if name != "slice thickness" or images.ndim == 5:
        found = worn(name, 2.0, images)
        assert (
            found.shape == images.shape
            and found.dtype == np.float32
            and not np.array_equal(found, images)
        )
        assert found.min() >= 0 and found.max() <= 1
        assert np.array_equal(found, worn(name, 2.0, images))


def test_noise_has_its_standard_deviation_and_is_another_in_each_image():
    found = worn("noise", 0.05, np.full((2, 1, 20, 20, 20), 0.5)) - 0.5
    assert found.std() == pytest.approx(0.05, rel=0.03) and abs(found.mean()) < 0.002
    assert abs(np.corrcoef(found[0].ravel(), found[1].ravel())[0, 1]) < 0.05


def test_blur_is_a_gaussian_in_millimetres_that_leaves_a_constant_alone():
    images = np.zeros((1, 1, 21, 21, 21))
    images[0, 0, 10, 10, 10] = 1
    found = worn("blur", 2.0, images, [1.0, 1.0, 2.0])[0, 0]
    at = np.arange(21) - 10.0
    for axis, sigma in ((0, 2.0), (2, 1.0)):
        along = found.sum(tuple({0, 1, 2} - {axis}))
        assert np.sqrt((along * at**2).sum() / along.sum()) == pytest.approx(sigma, rel=0.05)
    assert np.allclose(worn("blur", 2.0, np.full((1, 1, 9, 9), 0.7)), 0.7, atol=1e-4)


def test_a_thicker_slice_is_the_mean_of_those_within_it():
    images = np.zeros((1, 1, 4, 4, 8), np.float32)
    images[..., 2:4] = (
        1  # two slices of 1.5 mm, one of 3 mm: means 0, 1, 0, 0 at 0.5, 2.5, 4.5, 6.5
    )
    found = worn("slice thickness", 3.0, images, [1.0, 1.0, 1.5])
    assert np.allclose(found[0, 0, 1, 1], [0, 0.25, 0.75, 0.75, 0.25, 0, 0, 0], atol=1e-5)
    assert np.array_equal(
        worn("slice thickness", 1.0, images, [1.0, 1.0, 1.5]), images
    )  # they are thicker already


def test_the_window_shifts_up_and_down_and_ends_at_its_ends():
    images = np.array([0.0, 0.5, 0.95]).reshape(1, 1, 1, 3)
    assert np.allclose(worn("window shift up", 0.1, images).ravel(), [0.1, 0.6, 1])
    assert np.allclose(worn("window shift down", 0.1, images).ravel(), [0, 0.4, 0.85])


def test_the_sweep_has_three_amounts_of_each_kind_in_the_units_of_the_domain():
    found = corruption_sweep(3, [1.0, 1.0, 2.5])
    assert {one.name for one in found} == set(KINDS) and len(found) == 3 * len(KINDS)
    slices = [(one.amount, one.unit) for one in found if one.name == "slice thickness"]
    assert slices == [(5, "mm"), (7.5, "mm"), (12.5, "mm")]
    assert {
        one.unit for one in corruption_sweep(3, None) if one.name in ("blur", "slice thickness")
    } == {"voxels"}
    assert "slice thickness" not in {one.name for one in corruption_sweep(2, None)}


def test_an_unknown_corruption_is_refused():
    with pytest.raises(ValueError, match="corruption: got 'rain', expected one of noise, blur"):
        worn("rain", 1.0)
