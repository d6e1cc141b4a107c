from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from monai.transforms.intensity.array import ScaleIntensityRange

from graft.common.files import InputError
from graft.config.parameters import load_parameters
from graft.data.domain import Domain
from graft.grids import intensity
from graft.grids.grid import Grid
from graft.grids.intensity import raw_window
from graft.volumes.volume_files import read_volume
from tests.raw import read_domain

# 27 voxels: a background of six, and a foreground of 1, 2, ... 21.
# The foreground has a mean of 11 and a variance of (21² - 1) / 12 = 110 / 3.
BACKGROUND = np.zeros(6)
FOREGROUND = np.arange(1.0, 22.0)
SCAN = np.concatenate([BACKGROUND, FOREGROUND]).reshape(3, 3, 3)
SPREAD = (110 / 3) ** 0.5
WINDOWS = [("percentile", (5.0, 90.0)), ("zscore", (-2.0, 3.0))]
PATCH = (8, 8, 8)
SPACING = (1.0, 1.0, 1.0)
GRID = Grid(PATCH, SPACING, (1.0, 99.0), "percentile")
CLASSES = ["benign", "malignant"]


@pytest.mark.parametrize(
    ("kind", "window", "expected"),
    [
        ("window", (-5.0, 7.0), (-5, 7)),
        ("percentile", (0.0, 100.0), (1, 21)),
        # 1 to 21 are 20 steps of 5 percentiles each: 1 step and 18 steps above 1.
        ("percentile", (5.0, 90.0), (2, 19)),
        # 99 / 5 = 19.8 steps above 1 are 20.8. A reversed window stays reversed.
        ("percentile", (99.0, 50.0), (20.8, 11)),
        ("zscore", (-3.0, 3.0), (11 - 3 * SPREAD, 11 + 3 * SPREAD)),
        ("zscore", (1.0, 0.0), (11 + SPREAD, 11)),
    ],
)
def test_each_kind_gives_the_window_computed_by_hand(kind, window, expected):
    assert raw_window(window, kind, SCAN) == pytest.approx(expected)


@pytest.mark.parametrize(("kind", "window"), WINDOWS)
def test_a_window_follows_the_gain_and_the_offset_of_a_scan(kind, window):
    low, high = raw_window(window, kind, SCAN)
    scaled_low, scaled_high = raw_window(window, kind, 7.5 * SCAN - 300)
    assert scaled_low == pytest.approx(7.5 * low - 300)
    assert scaled_high == pytest.approx(7.5 * high - 300)


@pytest.mark.parametrize(("kind", "window"), WINDOWS)
def test_more_background_and_non_finite_voxels_change_nothing(kind, window):
    padded = np.pad(SCAN, 2)
    padded[0, 0] = np.nan
    padded[0, 1, 0] = -np.inf
    assert raw_window(window, kind, padded) == raw_window(window, kind, SCAN)


def test_the_window_of_a_large_scan_comes_from_every_third_voxel(monkeypatch):
    rng = np.random.default_rng(0)
    scan = rng.normal(100, 10, (40, 60, 50))
    window = (5.0, 95.0)
    from_all_voxels = raw_window(window, "percentile", scan)
    monkeypatch.setattr(intensity, "MAX_VOXELS", 20_000)
    from_part = raw_window(window, "percentile", scan)
    small_scan = scan[:, ::3, ::3]  # 40 · 20 · 17 = 13,600 voxels
    assert from_part == raw_window(window, "percentile", small_scan)
    assert from_part != from_all_voxels
    assert from_part == pytest.approx(from_all_voxels, abs=1)


FLAT_SCANS = {
    "zeros": np.zeros((3, 3, 3)),
    "mask": np.where(SCAN > 3, 5.0, 0.0),
    "nan": np.full((3, 3, 3), np.nan),
}


@pytest.mark.parametrize("name", FLAT_SCANS)
@pytest.mark.parametrize(("kind", "window"), WINDOWS)
def test_a_flat_foreground_is_refused(kind, window, name):
    with pytest.raises(InputError, match=f"has [012] intensities, expected at least 3 for {kind}"):
        raw_window(window, kind, FLAT_SCANS[name])


def test_a_window_whose_two_ends_are_one_intensity_is_refused():
    at_most_4 = np.minimum(SCAN, 4.0)
    scan = np.where(SCAN > 19, SCAN, at_most_4)  # 16 of 21 are 4
    with pytest.raises(InputError, match=r"window \[30.0, 60.0\] of its foreground is 4 to 4"):
        raw_window((30.0, 60.0), "percentile", scan)


def read_liver(folder: Path, grid: Grid) -> Domain:
    return read_domain(folder, "liver", CLASSES, grid)


def write_scans(folder: Path, change: Callable[[np.ndarray], np.ndarray]) -> Path:
    """Write a benign scan of noise and a malignant one that `change` makes from it."""
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, 1000, (20, 20, 20))
    noise = drawn.astype(np.int16)
    scans = {"a": noise, "b": change(noise)}
    for name, voxels in scans.items():
        image = nibabel.Nifti1Image(voxels, np.eye(4))
        nibabel.save(image, folder / f"{name}.nii.gz")
    rows = [
        "patient,image,label,x,y,z",
        "ann,a.nii.gz,benign,9,9,9",
        "bob,b.nii.gz,malignant,9,9,9",
    ]
    (folder / "manifest.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_volumes_that_differ_in_gain_give_the_same_patch(tmp_path):
    folder = write_scans(tmp_path, lambda scan: 8 * scan + 16)
    domain = read_liver(folder, GRID)
    assert np.array_equal(domain.images[0], domain.images[1])
    assert domain.preprocessing["intensity"] == "percentile"
    assert domain.preprocessing["window"] == [1, 99]


def test_a_reversed_window_reverses_the_contrast_of_a_volume(tmp_path):
    folder = write_scans(tmp_path, lambda scan: 8 * scan + 16)
    grid = replace(GRID, patch=(7, 7, 7), window=(99.0, 1.0))
    images = read_liver(folder, grid).images

    voxels = np.asarray(read_volume(folder / "a.nii.gz").voxels)
    # These percentiles include the background, which the tolerance below allows for.
    low, high = np.percentile(voxels, (1, 99))
    around_the_lesion = voxels[6:13, 6:13, 6:13]
    patch = (around_the_lesion - low) / (high - low)
    reversed_patch = 1 - patch.clip(0, 1)
    assert np.allclose(images[1][0], reversed_patch, atol=2e-3)


def test_a_flat_volume_is_refused_with_its_row(tmp_path):
    folder = write_scans(tmp_path, lambda scan: (scan > 500).astype(np.int16))
    message = "manifest.csv:3: b.nii.gz: it has 2 intensities, expected at least 3"
    with pytest.raises(InputError, match=message):
        read_liver(folder, GRID)


def test_each_sample_of_an_array_has_its_own_window(tmp_path):
    rng = np.random.default_rng(0)
    sample = rng.random((3, 8, 8))
    scaled = 40 * sample - 7
    np.save(tmp_path / "data.npy", np.stack([sample, scaled]))
    np.save(tmp_path / "labels.npy", np.array([0, 1]))
    window = (-2.0, 2.0)
    grid = Grid((8, 8), (1.0, 1.0), window, "zscore")
    images = read_liver(tmp_path, grid).images
    assert np.allclose(images[0], images[1], atol=1e-3)
    assert images[0].mean() == pytest.approx(0.5, abs=0.02)

    flat_sample = np.ones((3, 8, 8))
    np.save(tmp_path / "data.npy", np.stack([sample, flat_sample]))
    with pytest.raises(InputError, match="data.npy:1: it has 1 intensities"):
        read_liver(tmp_path, grid)


def test_a_window_in_percentiles_must_be_within_0_and_100(tmp_path):
    text = (Path(__file__).parents[3] / "params.yaml").read_text()
    changed = text.replace("intensity: window", "intensity: percentile", 1)
    (tmp_path / "params.yaml").write_text(changed)
    message = r"lung.window: got \[-1000.0, 400.0\], expected percentiles from 0 to 100"
    with pytest.raises(InputError, match=message):
        load_parameters(tmp_path / "params.yaml")


@pytest.mark.parametrize(
    ("window", "intensity"),
    [
        ((1e308, -1e308), "window"),
        ((-3e38, 3e38), "window"),
        ((0.0, 1e-50), "window"),
        ((-1e308, 1e308), "zscore"),
        ((0.0, 1e-60), "zscore"),
        ((50.0, 50.0 + 1e-60), "percentile"),
    ],
)
def test_a_window_that_float32_cannot_divide_by_is_refused(window, intensity):
    voxels = np.random.default_rng(0).normal(size=(8, 8, 8))
    with pytest.raises(InputError, match=r"wide, expected ends that differ by a number of float32"):
        raw_window(window, intensity, voxels)


@pytest.mark.parametrize("window", [(-1e38, 1e38), (1e38, -1e38), (0.0, 1e-37), (3e38, 3.1e38)])
def test_any_other_window_gives_numbers_from_0_to_1(window):
    crop = np.float32([[-3e38, -1.0, 0.0, 1e-38, 1.0, 3e38]])
    low, high = raw_window(window, "window", crop)
    scaled = np.asarray(ScaleIntensityRange(low, high, 0.0, 1.0, clip=True)(crop))
    assert ((scaled >= 0) & (scaled <= 1)).all()
