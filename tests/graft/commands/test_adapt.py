"""`graft adapt` as a user types it, in this process."""

import json
from pathlib import Path
from subprocess import CompletedProcess

import nibabel
import numpy as np
import pandas as pd
import pytest

from graft.adaptation.page import methods_of
from graft.common.files import read_sealed
from graft.prediction.cut import cut_inputs
from graft.prediction.identity import model_digest
from graft.prediction.lesions import Lesion
from graft.prediction.predictor import load
from graft.release.fitted import Fitted
from tests.commands import run_module
from tests.graft.adaptation.sites import make_predictor
from tests.trained import write_trained

PATIENTS = 20
TABLE = Path("site/manifest.csv")


def adapt(*words: str) -> CompletedProcess[str]:
    return run_module("graft", "adapt", "models/best", "--data", "site", *words)


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    """A model, and a site whose scans are darker and nearly all benign."""
    folder = tmp_path_factory.mktemp("project")
    make_predictor(folder / "models/best")
    random = np.random.default_rng(0)
    (folder / "site").mkdir()
    rows = []
    for number in range(PATIENTS):
        scan = (random.random((16, 16, 16)) * 0.6).astype(np.float32)
        nibabel.save(nibabel.Nifti1Image(scan, np.eye(4)), folder / f"site/{number}.nii.gz")
        label = "malignant" if number % 9 == 0 else "benign"
        rows.append((f"Jane Roe {number}", f"{number}.nii.gz", label, 8, 8, 8))
    columns = ["patient", "image", "label", "x", "y", "z"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / TABLE, index=False)
    return folder


@pytest.fixture
def project(template, tmp_path, monkeypatch) -> Path:
    """A folder that shares the scans and the model, with a manifest of its own."""
    monkeypatch.chdir(tmp_path)
    Path("models").symlink_to(template / "models")
    Path("site").mkdir()
    for path in (template / "site").iterdir():
        (Path("site") / path.name).write_bytes(path.read_bytes())
    return tmp_path


def change(name: str, values: object) -> None:
    table = pd.read_csv(TABLE, dtype=str)
    table[name] = values
    table.to_csv(TABLE, index=False)


def test_a_model_that_gains_is_written_with_its_parent_and_the_same_bytes_again(project):
    found = adapt("--to", "models-b/site", "--report", "report")
    assert found.returncode == 0, found.stderr
    document = read_sealed(Path("report/adapt.json"))
    assert document["recommended"]
    assert document["model"] == model_digest(Path("models-b/site"))
    assert document["sentence"] in found.stdout
    scored = f"by {methods_of(document['curve'][-1])};"
    assert document["chosen"] in scored
    assert scored in found.stdout
    assert "wrote models-b/site" in found.stdout
    fitted = Fitted.read(Path("models-b/site"))
    assert fitted.adaptation == {
        "parent": model_digest(Path("models/best")),
        "method": document["chosen"],
        "patients": PATIENTS,
        "lesions": PATIENTS,
        "labelled": PATIENTS,
    }
    texts = [path.read_text() for path in Path("report").iterdir()]
    texts += [Path("models-b/site", name).read_text() for name in ("README.md", "fitted.json")]
    for text in (*texts, found.stdout):
        assert "Jane" not in text
        assert str(project) not in text
    again = adapt("--to", "again", "--report", "report-again")
    assert again.returncode == 0
    for folder, other in (("models-b/site", "again"), ("report", "report-again")):
        for path in Path(folder).iterdir():
            assert path.read_bytes() == (Path(other) / path.name).read_bytes(), path
    shown = run_module("graft", "show", "again").stdout
    assert f"parent {document['parent'][:12]}" in shown
    assert "not guaranteed after the adaptation" in shown


def test_the_new_model_predicts_what_was_fitted(project):
    change("label", "")
    found = adapt("--to", "new", "--anyway")
    assert found.returncode == 0, found.stderr
    assert "Do not adapt yet" in found.stdout
    fitted = Fitted.read(Path("new"))
    assert fitted.intensity is not None
    lesion = Lesion(Path("site/3.nii.gz"), (8, 8, 8))
    [cut] = cut_inputs(load("models/best", "cpu").form, [lesion])
    predictor = load("new", "cpu")
    raw = predictor.model.predict(fitted.intensity.apply(cut.image)[None])
    one = predictor.predict("site/3.nii.gz", at=(8, 8, 8))
    assert list(one.probabilities.values()) == pytest.approx(raw[0].tolist(), abs=1e-7)
    assert one.calibrated["malignant"] == pytest.approx(
        fitted.calibration.apply(np.array([list(one.probabilities.values())]))[0, 1], abs=1e-7
    )
    exported = run_module("graft", "export", "new", "--to", "pt2", "--out", "new.pt2")
    assert exported.returncode == 0, exported.stderr


def test_an_adapted_model_is_adapted_again(project):
    change("label", "")
    assert adapt("--to", "new", "--anyway").returncode == 0
    again = run_module("graft", "adapt", "new", "--data", "site", "--to", "newer", "--anyway")
    assert again.returncode == 0, again.stderr
    assert Fitted.read(Path("newer")).adaptation["parent"] == model_digest(Path("new"))
    assert "are like those of the training" in again.stdout


def test_nothing_is_written_if_nothing_is_gained_unless_it_is_wanted(project):
    change("label", "")
    change("image", [f"{number % 4}.nii.gz" for number in range(PATIENTS)])
    change("patient", "")  # four scans, too few to tell anything
    found = adapt("--to", "new", "--report", "report")
    assert found.returncode == 0
    assert "Do not adapt" in found.stdout
    assert "no model was written, --anyway writes it" in found.stdout
    assert not Path("new").exists()
    assert json.loads(Path("report/adapt.json").read_text())["model"] is None
    assert adapt("--to", "new", "--anyway").returncode == 0
    assert Fitted.read(Path("new")).adaptation["method"] == "prior"


@pytest.mark.parametrize(
    ("to", "report"),
    [("new", "new"), ("new", "new/report"), ("models/best", "report"), ("models", "report")],
)
def test_folders_that_overlap_are_refused(project, to, report):
    before = model_digest(Path("models/best"))
    found = adapt("--to", to, "--report", report, "--anyway")
    assert found.returncode == 2
    assert "overlap, expected separate folders" in found.stderr
    assert model_digest(Path("models/best")) == before


def test_a_broken_scan_is_a_line_and_the_others_are_used(project):
    Path("site/5.nii.gz").write_bytes(b"no scan")
    found = adapt("--to", "new", "--report", "report")
    assert found.returncode == 1
    assert "error: 5.nii.gz (line 7): " in found.stderr
    assert read_sealed(Path("report/adapt.json"))["site"]["failures"] == 1
    assert Path("new/fitted.json").exists()


def wrong_label() -> None:
    change("label", "cancer")


def no_patient() -> None:
    change("patient", "")


def two_patients() -> None:
    change("image", "1.nii.gz")


def no_scans() -> None:
    change("image", "none.nii.gz")
    change("patient", "one")


def no_table() -> None:
    TABLE.write_bytes(b"\xff\xfe")


def full_folder() -> None:
    Path("new").mkdir()
    Path("new/thesis.txt").touch()


def older_model() -> None:
    Path("models").unlink()
    write_trained(Path("models/best"))


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (wrong_label, "manifest.csv:2: label is 'cancer', expected one of benign, malignant"),
        (no_patient, "manifest.csv:2: has a label and no patient, expected both"),
        (two_patients, "manifest.csv:3: the scan belongs to another patient"),
        (no_scans, "has no lesion that can be used, expected at least one"),
        (no_table, "cannot be read as a table with commas, in UTF-8"),
        (full_folder, "new: has other files, expected a new folder"),
        (older_model, "models/best: has no fitted.json, expected a folder that evaluate wrote"),
    ],
)
def test_what_cannot_be_used_is_one_line(project, break_it, message):
    break_it()
    found = adapt("--to", "new", "--anyway")
    assert found.returncode == 1
    [line] = [line for line in found.stderr.splitlines() if message in line]
    assert line.startswith("error: ")
    assert "Traceback" not in found.stderr
    assert "Jane" not in found.stderr + found.stdout
    assert not Path("new/fitted.json").exists()
