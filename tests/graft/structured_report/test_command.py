from pathlib import Path

import highdicom
import numpy as np
import pytest
import SimpleITK

from graft.networks.saved import save_model
from tests.commands import run_module
from tests.graft.export.models import make_model

PREPROCESSING = {
    "patch": [8, 8, 8],
    "spacing": [1.0, 1.0, 1.0],
    "window": [-1000.0, 1000.0],
    "intensity": "window",
    "size": "diameter in mm",
}


@pytest.fixture
def model(tmp_path) -> Path:
    """A model folder of an earlier version, which has nothing fitted."""
    made = make_model(patch=(8, 8, 8), preprocessing=PREPROCESSING)
    folder = tmp_path / "model"
    folder.mkdir()
    save_model(folder, made.networks, made.card)
    return folder


def test_predict_writes_a_report_for_a_dicom_series(tmp_path, model, write_series):
    write_series(tmp_path / "ct")
    words = ["--model", str(model), "--out", str(tmp_path / "out"), "--at=25,15,105", "--sr"]
    for _ in range(2):  # the second time replaces the first
        ended = run_module("graft", "predict", str(tmp_path / "ct"), *words)
        assert ended.returncode == 0, ended.stderr
    report = highdicom.sr.srread(tmp_path / "out/sr/0001.dcm")
    (group,) = report.content.get_planar_roi_measurement_groups()
    (measured,) = group.get_measurements()
    printed = (tmp_path / "out/predictions.json").read_text()
    assert str(measured.value) in printed
    assert "Loudvoice" not in ended.stdout + ended.stderr + printed


def test_another_scan_is_refused_before_it_is_predicted(tmp_path, model):
    image = SimpleITK.GetImageFromArray(np.random.default_rng(0).random((12, 12, 12)))
    SimpleITK.WriteImage(image, tmp_path / "scan.nii.gz")
    words = ["--model", str(model), "--out", str(tmp_path / "out"), "--at=-5,-5,5", "--sr"]
    ended = run_module("graft", "predict", str(tmp_path / "scan.nii.gz"), *words)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "--sr: " in ended.stderr
    assert "is not DICOM, expected a DICOM series" in ended.stderr
    assert not (tmp_path / "out").exists()


def test_a_damaged_series_does_not_discard_the_prediction_of_another_scan(tmp_path, model):
    image = SimpleITK.GetImageFromArray(np.random.default_rng(0).random((12, 12, 12)))
    SimpleITK.WriteImage(image, tmp_path / "scan.nii.gz")
    (tmp_path / "ct").mkdir()
    (tmp_path / "ct/1.dcm").write_bytes(bytes(128) + b"DICM" + bytes(50))
    rows = "image,x,y,z\nct,-5,-5,5\nscan.nii.gz,-5,-5,5\n"
    (tmp_path / "manifest.csv").write_text(rows)
    out = tmp_path / "out"
    ended = run_module(
        "graft", "predict", str(tmp_path), "--model", str(model), "--out", str(out), "--sr"
    )
    assert ended.returncode == 1
    assert "1 prediction, 1 failure" in ended.stderr
    assert sorted(path.name for path in out.iterdir()) == ["predictions.csv", "predictions.json"]


def test_a_report_needs_a_folder(tmp_path, model, write_series):
    write_series(tmp_path / "ct")
    words = [str(tmp_path / "ct"), "--model", str(model), "--at=25,15,105", "--sr"]
    ended = run_module("graft", "predict", *words)
    assert ended.returncode == 2
    assert "expected --out FOLDER" in ended.stderr
