"""Real scans: a series of pydicom, and the chest CT and sonograms outside of the repository."""

import os
from pathlib import Path

import nibabel
import numpy as np
import pydicom.data
import pytest
import SimpleITK

from graft.prediction.predictor import load
from tests.trained import fitted_values, write_trained

ROOT = Path(__file__).parents[3]
SHARED = Path(os.environ.get("GRAFT_SHARED_DATA") or ROOT.parent / "shared" / "data")
HU = (-1000, 400)


def shared(name: str) -> Path:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"no real data at {path}: set GRAFT_SHARED_DATA to try it")
    return path


@pytest.fixture
def chest(tmp_path):
    return load(write_trained(tmp_path / "m", window=HU, fitted=fitted_values()), "cpu")


def test_a_series_of_a_scanner(chest):
    folder = Path(pydicom.data.__file__).parent / "test_files/dicomdirtests/98892001/CT5N"
    found = chest.predict(folder, at=(8, 8, 2), frame="voxel")
    assert found.measurements["spacing_mm"] == 2.5
    drawn = chest.explain(found, "grad_cam")
    assert drawn.values.shape == (16, 16, 5)
    assert "Doe" not in repr(found)  # the name of its patient


def test_a_chest_ct_and_the_same_scan_as_dicom(chest, tmp_path, write_series):
    folder = shared("ct_volume")
    scan, mask = folder / "lung1_image.nrrd", folder / "lung1_label.nrrd"
    found = chest.predict(scan, mask=mask)
    image = SimpleITK.ReadImage(scan)
    x, y, z = found.lesion.position
    i, j, k = image.TransformPhysicalPointToIndex((-x, -y, z))
    corner = [i - 20, j - 20, k - 5]
    part = SimpleITK.RegionOfInterest(image, (40, 40, 11), corner)
    voxels = SimpleITK.GetArrayFromImage(part).astype(np.int16)  # (slices, rows, columns)

    def use_real_voxels(made: pydicom.Dataset, number: int) -> None:
        made.PixelData = voxels[number].tobytes()

    across, down, up = part.GetSpacing()
    write_series(
        tmp_path / "series",
        count=11,
        size=(40, 40),
        spacing=(down, across),
        step=np.array([0, 0, up]),
        first=part.GetOrigin(),
        rescale=lambda number: (1, 0),
        change=use_real_voxels,
    )
    series = chest.predict(tmp_path / "series", at=(x, y, z))
    assert series.probabilities == found.probabilities
    chest.explain(series, "grad_cam").write(tmp_path / "map.nii.gz")
    assert nibabel.load(tmp_path / "map.nii.gz").shape == (40, 40, 11)


def test_a_sonogram(tmp_path):
    picture = shared("liver_us/images/FNH1.jpg")
    options = {"spaced": False, "window": (0, 255), "fitted": fitted_values(ranges={})}
    found = load(write_trained(tmp_path / "m", (64, 64), 3, **options), "cpu").predict(picture)
    assert found.measurements["spacing_mm"] is None
    assert 0 < found.probabilities["malignant"] < 1
