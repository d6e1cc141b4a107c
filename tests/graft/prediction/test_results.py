import json
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest

from graft.common.files import InputError, check_files, read_sealed
from graft.prediction.batch import list_inputs, predict_listed, write_batch
from graft.prediction.predictor import Predictor, load
from graft.prediction.results import check_output
from tests.trained import fitted_values, random_scan, write_trained

MANIFEST = "patient,image,x,y,z\nAnn Onym,a.nii,8,8,8\nAnn Onym,b.nii,8,8,8\nX,a.nii,7,8,-9\n"


@pytest.fixture
def raw(tmp_path) -> Path:
    """A scan with a good and a bad place, and a damaged scan."""
    folder = tmp_path / "raw"
    folder.mkdir()
    nibabel.save(nibabel.Nifti1Image(random_scan(), np.eye(4)), folder / "a.nii")
    (folder / "b.nii").write_bytes(b"damaged")
    (folder / "manifest.csv").write_text(MANIFEST)
    return folder


@pytest.fixture
def predictor(tmp_path) -> Predictor:
    return load(write_trained(tmp_path / "model", fitted=fitted_values()), "cpu")


def write(predictor: Predictor, raw: Path, out: Path, **options) -> dict:
    batch = predict_listed(predictor, list_inputs(predictor, [raw]), {}, "sensitivity")
    wanted = {"explain": False, "report": False, "method": "grad_cam"} | options
    write_batch(out, predictor, batch, **wanted)
    return read_sealed(out / "predictions.json")


def test_the_files_have_every_prediction_and_every_failure(predictor, raw, tmp_path):
    found = write(predictor, raw, tmp_path / "out/new")
    assert [one["line"] for one in found["predictions"]] == [2]
    assert [one["line"] for one in found["failures"]] == [3, 4]
    assert found["model"]["sha256"] == predictor.sha256
    [prediction] = found["predictions"]
    assert prediction["lesion"] == {"x": 8, "y": 8, "z": 8, "frame": "ras"}
    assert prediction["scan"] == "a.nii"
    table = pd.read_csv(tmp_path / "out/new/predictions.csv")
    assert table["line"].tolist() == [2, 3, 4]
    assert table["p_malignant"][0] == prediction["probabilities"]["malignant"]
    assert table["calibrated_benign"][0] == prediction["calibrated"]["benign"]
    assert table["set"][0] == "|".join(prediction["set"])
    assert table["error"].isna().tolist() == [True, False, False]
    assert table["answer"].isna().tolist() == [False, True, True]
    check_files(tmp_path / "out/new/predictions.json", found, ["predictions.csv"])


def test_no_patient_and_no_path_of_this_machine_is_written(predictor, raw, tmp_path, capsys):
    write(predictor, raw, tmp_path / "out", explain=True, report=True)
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert sorted(path.name for path in files) == [
        "0001.nii.gz",
        "predictions.csv",
        "predictions.json",
        "report.html",
    ]
    for path in files:
        content = path.read_bytes()
        assert b"Onym" not in content
        assert str(raw).encode() not in content
    assert "Onym" not in capsys.readouterr().out


def test_the_same_inputs_give_the_same_bytes(predictor, raw, tmp_path):
    for name in ("one", "two"):
        write(predictor, raw, tmp_path / name, explain=True, report=True)
    for path in (tmp_path / "one").rglob("*"):
        if path.is_file():
            other = tmp_path / "two" / path.relative_to(tmp_path / "one")
            assert path.read_bytes() == other.read_bytes()


def test_predictions_replace_others_and_nothing_else(predictor, raw, tmp_path):
    write(predictor, raw, tmp_path / "out", report=True)
    write(predictor, raw, tmp_path / "out")
    assert not (tmp_path / "out/report.html").exists()
    check_output(tmp_path / "out")
    (tmp_path / "out/thesis.txt").write_text("all of it")
    with pytest.raises(InputError, match="contains 'thesis.txt', expected a new folder"):
        check_output(tmp_path / "out")


def test_a_failure_while_writing_leaves_what_was_there(predictor, raw, tmp_path, monkeypatch):
    before = write(predictor, raw, tmp_path / "out")
    monkeypatch.setattr(Predictor, "explain_patch", lambda *arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write(predictor, raw, tmp_path / "out", report=True)
    assert read_sealed(tmp_path / "out/predictions.json") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "out", "raw"]


def test_without_any_prediction_there_are_files_too(predictor, raw, tmp_path):
    (raw / "manifest.csv").write_text("image,x,y,z\nb.nii,8,8,8\n")
    found = write(predictor, raw, tmp_path / "out", explain=True, report=True)
    assert found["predictions"] == []
    assert len(pd.read_csv(tmp_path / "out/predictions.csv")) == 1


def test_the_page_shows_answers_reasons_and_the_model(raw, tmp_path):
    fitted = fitted_values(ranges={"spacing_s": (2.0, 3.0)})
    predictor = load(write_trained(tmp_path / "model", fitted=fitted), "cpu")
    write(predictor, raw, tmp_path / "out", report=True)
    page = (tmp_path / "out/report.html").read_text()
    assert "Refused: the scan is unlike those" in page
    assert "The scan has 1 mm per voxel along S, and familiar inputs have 2 to 3 mm." in page
    assert page.count("data:image/png;base64,") == 1
    assert predictor.sha256 in page
    assert str(tmp_path) not in page
    assert "for research only" in page
    assert "<script" not in page


def test_names_cannot_add_to_the_page(predictor, raw, tmp_path):
    (raw / "<b>a&amp;.nii").write_bytes((raw / "a.nii").read_bytes())
    (raw / "manifest.csv").write_text("image,x,y,z\n<b>a&amp;.nii,8,8,8\n")
    write(predictor, raw, tmp_path / "out", report=True)
    page = (tmp_path / "out/report.html").read_text()
    assert "<b>" not in page
    assert "&lt;b&gt;a&amp;amp;.nii" in page


def test_the_document_is_plain_json(predictor, raw, tmp_path):
    write(predictor, raw, tmp_path / "out")
    text = (tmp_path / "out/predictions.json").read_text()
    assert "NaN" not in text
    assert json.loads(text)["research_only"] is True
