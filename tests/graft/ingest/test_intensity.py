from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

from graft.common.files import InputError
from graft.config.parameters import load_parameters
from graft.data.domain import Grid
from graft.ingest import intensity
from graft.ingest.intensity import raw_window
from graft.ingest.volumes import read_volume
from tests.raw import read_domain

# 27 voxels: a background of six, and a foreground of 1, 2, ... 21.
# Its mean is 11, and its variance (21² - 1) / 12.
SCAN = np.array([0.0] * 6 + [float(k) for k in range(1, 22)]).reshape(3, 3, 3)
SPREAD = (110 / 3) ** 0.5
WINDOWS = [("percentile", (5.0, 90.0)), ("zscore", (-2.0, 3.0))]
GRID = Grid((8, 8, 8), (1.0, 1.0, 1.0), (1.0, 99.0), "percentile")


@pytest.mark.parametrize(
    ("kind", "window", "expected"),
    [
        ("window", (-5.0, 7.0), (-5, 7)),
        ("percentile", (0.0, 100.0), (1, 21)),
        (
            "percentile",
            (5.0, 90.0),
            (2, 19),
        ),  # 20 steps from the least to the greatest, a percentile each 5
        (
            "percentile",
            (99.0, 50.0),
            (20.8, 11),
        ),  # a reversed window stays reversed; 0.8 of the way from 20 to 21
        ("zscore", (-3.0, 3.0), (11 - 3 * SPREAD, 11 + 3 * SPREAD)),
        ("zscore", (1.0, 0.0), (11 + SPREAD, 11)),
    ],
)
def test_windows_by_hand(kind, window, expected):
    assert raw_window(window, kind, SCAN) == pytest.approx(expected)


@pytest.mark.parametrize(("kind", "window"), WINDOWS)
def test_gain_and_offset_cancel_out(kind, window):
    low, high = raw_window(window, kind, SCAN)
    assert raw_window(window, kind, 7.5 * SCAN - 300) == pytest.approx(
        (7.5 * low - 300, 7.5 * high - 300)
    )


@pytest.mark.parametrize(("kind", "window"), WINDOWS)
def test_a_larger_background_and_what_is_no_number_change_nothing(kind, window):
    padded = np.pad(SCAN, 2)
    padded[0, 0], padded[0, 1, 0] = np.nan, -np.inf
    assert raw_window(window, kind, padded) == raw_window(window, kind, SCAN)


def test_a_part_of_a_large_scan_tells_its_window(monkeypatch):
    scan = np.random.default_rng(0).normal(100, 10, (40, 60, 50))
    whole = raw_window((5.0, 95.0), "percentile", scan)
    monkeypatch.setattr(intensity, "MAX_VOXELS", 20_000)
    part = raw_window((5.0, 95.0), "percentile", scan)
    assert part == raw_window((5.0, 95.0), "percentile", scan[:, ::3, ::3])  # 40 · 20 · 17 = 13,600
    assert part != whole and part == pytest.approx(whole, abs=1)


FLAT = [np.zeros((3, 3, 3)), np.where(SCAN > 3, 5.0, 0.0), np.full((3, 3, 3), np.nan)]


@pytest.mark.parametrize("scan", FLAT, ids=["zeros", "mask", "nan"])
@pytest.mark.parametrize(("kind", "window"), WINDOWS)
def test_a_flat_foreground_is_refused(kind, window, scan):
    with pytest.raises(InputError, match=f"has [012] intensities, expected at least 3 for {kind}"):
        raw_window(window, kind, scan)


def test_a_window_that_falls_on_one_intensity_is_refused():
    scan = np.where(SCAN > 19, SCAN, np.minimum(SCAN, 4.0))  # 16 of 21 are 4
    with pytest.raises(InputError, match=r"window \[30.0, 60.0\] of its foreground is 4 to 4"):
        raw_window((30.0, 60.0), "percentile", scan)


def write_scans(folder: Path, second: np.ndarray) -> Path:
    """Two scans of a volume each, the first plain noise."""
    first = np.random.default_rng(0).integers(0, 1000, (20, 20, 20)).astype(np.int16)
    for name, voxels in (("a", first), ("b", second(first))):
        nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), folder / f"{name}.nii.gz")
    (folder / "manifest.csv").write_text(
        "patient,image,label,x,y,z\nann,a.nii.gz,benign,9,9,9\nbob,b.nii.gz,malignant,9,9,9\n"
    )
    return folder


def test_volumes_of_another_gain_give_the_same_patch(tmp_path):
    folder = write_scans(tmp_path, lambda scan: 8 * scan + 16)
    domain = read_domain(folder, "liver", ["benign", "malignant"], GRID)
    assert np.array_equal(domain.images[0], domain.images[1])
    low, high = np.percentile(read_volume(folder / "a.nii.gz").voxels, (1, 99))
    patch = (np.asarray(read_volume(folder / "a.nii.gz").voxels)[6:13, 6:13, 6:13] - low) / (
        high - low
    )
    turned = read_domain(
        folder, "liver", ["benign", "malignant"], replace(GRID, patch=(7, 7, 7), window=(99.0, 1.0))
    )
    assert np.allclose(
        turned.images[1][0], 1 - patch.clip(0, 1), atol=2e-3
    )  # `low` counted the background in
    assert domain.preprocessing["intensity"] == "percentile" and domain.preprocessing["window"] == [
        1,
        99,
    ]


def test_a_flat_volume_is_one_line_with_its_row(tmp_path):
    folder = write_scans(tmp_path, lambda scan: np.where(scan > 500, 1, 0).astype(np.int16))
    with pytest.raises(
        InputError, match="manifest.csv:3: b.nii.gz: it has 2 intensities, expected at least 3"
    ):
        read_domain(folder, "liver", ["benign", "malignant"], GRID)


def test_arrays_are_windowed_sample_by_sample(tmp_path):
    data = np.random.default_rng(0).random((2, 3, 8, 8))
    data[1] = 40 * data[0] - 7
    np.save(tmp_path / "data.npy", data)
    np.save(tmp_path / "labels.npy", np.array([0, 1]))
    grid = Grid((8, 8), (1.0, 1.0), (-2.0, 2.0), "zscore")
    images = read_domain(tmp_path, "liver", ["benign", "malignant"], grid).images
    assert np.allclose(images[0], images[1], atol=1e-3) and images[0].mean() == pytest.approx(
        0.5, abs=0.02
    )
    np.save(tmp_path / "data.npy", np.stack([data[0], np.ones((3, 8, 8))]))
    with pytest.raises(InputError, match="data.npy:1: it has 1 intensities"):
        read_domain(tmp_path, "liver", ["benign", "malignant"], grid)


def test_percentiles_end_at_100(tmp_path):
    text = (Path(__file__).parents[3] / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(
        text.replace("intensity: window", "intensity: percentile", 1)
    )
    with pytest.raises(
        InputError, match=r"lung.window: got \[-1000.0, 400.0\], expected percentiles from 0 to 100"
    ):
        load_parameters(tmp_path / "params.yaml")
