"""Known lesions in `graft predict`, as a user types them, in this process."""

import json
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest

import graft
from graft.ingest.rows import MANIFEST
from graft.patient_effect.model import shift
from tests.commands import run_module
from tests.seals import reseal
from tests.trained import fitted_values, random_scan, write_trained

EFFECT = {"sd": 2.5, "interval": [1.0, None], "distinguishable": True, "applied_sd": 2.0}
NONE = EFFECT | {"distinguishable": False, "applied_sd": 0.0}
PLACES = ((8, 8, 8), (7, 8, 9), (6, 9, 8))
FIRST, SECOND, THIRD = ("{},{},{}".format(*place) for place in PLACES)


def write_known(folder: str, effect: dict | None = EFFECT, **fitted: object) -> None:
    values = replace(fitted_values(**fitted), patient_effect=effect)
    write_trained(Path(folder), fitted=values)


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A folder with a model that has a patient effect, and two scans."""
    monkeypatch.chdir(tmp_path)
    write_known("models/best")
    for number in range(2):
        scan = nibabel.Nifti1Image(random_scan(seed=number), np.eye(4))
        nibabel.save(scan, f"{number}.nii.gz")
    return tmp_path


def predict(*words: str):
    return run_module("graft", "predict", *words)


def one(*words: str, model: str = "models/best") -> dict:
    """The one prediction of the first scan."""
    found = predict("0.nii.gz", "--at", FIRST, "--model", model, "--out", "out", *words)
    assert found.returncode == 0, found.stderr
    [prediction] = json.loads(Path("out/predictions.json").read_text())["predictions"]
    return prediction


def write_manifest(*rows: str, name: str = MANIFEST) -> None:
    Path(name).write_text("\n".join(["patient,image,x,y,z,known", *rows]) + "\n")


def table(*words: str) -> pd.DataFrame:
    found = predict(*words, "--out", "out")
    assert found.returncode == 0, found.stderr
    return pd.read_csv("out/predictions.csv")


def probability(place: tuple, scan: str = "0.nii.gz") -> float:
    return graft.load("models/best").predict(scan, at=place).calibrated["malignant"]


def test_known_lesions_of_a_scan_shift_the_probability(project):
    known = np.array([probability(place) for place in PLACES[1:]])
    before = probability(PLACES[0])
    found = one("--known", f"malignant@{SECOND}", "--known", f"benign@{THIRD}")
    [expected] = shift(np.array([before]), known, np.array([True, False]), 2.0)
    assert found["calibrated"]["malignant"] == pytest.approx(expected, abs=1e-8)
    assert found["calibrated"]["benign"] == pytest.approx(1 - expected, abs=1e-8)
    assert found["known"]["lesions"] == 2
    assert found["known"]["calibrated_without"]["malignant"] == before
    assert found["probabilities"] == one()["probabilities"]


def test_the_answer_follows_from_the_shifted_probability(project):
    write_known("sure", EFFECT | {"applied_sd": 10.0})
    up = one("--known", f"malignant@{SECOND}", model="sure")
    down = one("--known", f"benign@{SECOND}", model="sure")
    assert (up["class"], up["set"], up["answer"]) == ("malignant", ["malignant"], "malignant")
    assert (down["class"], down["set"], down["answer"]) == ("benign", ["benign"], "benign")
    assert up["threshold"] == down["threshold"] == 0.3


def test_what_was_known_is_printed(project):
    found = predict("0.nii.gz", "--at", FIRST, "--known", f"malignant@{SECOND}")
    before = probability(PLACES[0])
    line = f"  given 1 known lesion of the patient; malignant {before:.3f} without"
    assert line in found.stdout.splitlines()
    assert len([text for text in found.stdout.splitlines() if text.startswith("0.nii.gz")]) == 1


def test_the_column_known_of_a_manifest_tells_it(project):
    write_manifest(
        "a,0.nii.gz,8,8,8,malignant",
        "a,0.nii.gz,7,8,9,",
        "b,1.nii.gz,8,8,8,",
        ",1.nii.gz,7,8,9,",
    )
    found = table(MANIFEST)
    before = np.array([probability(PLACES[1])])
    [expected] = shift(before, np.array([probability(PLACES[0])]), np.array([True]), 2.0)
    assert found["calibrated_malignant"][1] == pytest.approx(expected, abs=1e-8)
    assert found["calibrated_malignant"][0] == probability(PLACES[0])
    assert found["calibrated_malignant"][2] == probability(PLACES[0], "1.nii.gz")
    assert found["known_class"][0] == "malignant"
    assert found["known_class"].isna().tolist() == [False, True, True, True]
    assert found["known_lesions"].fillna(0).tolist() == [0, 1, 0, 0]
    assert found["without_known_malignant"][1] == before[0]


def test_patients_of_two_manifests_are_not_the_same(project):
    write_manifest("a,0.nii.gz,8,8,8,malignant", name="first.csv")
    write_manifest("a,1.nii.gz,8,8,8,", name="second.csv")
    found = table("first.csv", "second.csv")
    assert found["known_lesions"].isna().all()
    assert found["calibrated_malignant"][1] == probability(PLACES[0], "1.nii.gz")


def files(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def test_without_known_lesions_not_a_byte_changes(project):
    write_manifest("a,0.nii.gz,8,8,8,", "a,0.nii.gz,7,8,9,")
    predict(MANIFEST, "--out", "with")
    Path(MANIFEST).write_text("image,x,y,z\n0.nii.gz,8,8,8\n0.nii.gz,7,8,9\n")
    predict(MANIFEST, "--out", "without")
    assert files("with") == files("without")
    assert "known" not in Path("with/predictions.json").read_text()


def test_an_effect_that_is_not_shown_changes_nothing_and_says_so(project):
    write_known("none", NONE)
    line = (
        "none: the patient effect cannot be distinguished from 0, so known lesions change nothing"
    )
    write_manifest("a,0.nii.gz,8,8,8,malignant", "a,0.nii.gz,7,8,9,")
    found = predict(MANIFEST, "--model", "none", "--out", "with")
    assert found.returncode == 0
    assert found.stderr.splitlines().count(line) == 1
    Path(MANIFEST).write_text("image,x,y,z\n0.nii.gz,8,8,8\n0.nii.gz,7,8,9\n")
    predict(MANIFEST, "--model", "none", "--out", "without")
    assert files("with") == files("without")
    scan = ("0.nii.gz", "--at", FIRST, "--model", "none")
    assert predict(*scan, "--known", f"benign@{SECOND}").stdout == predict(*scan).stdout


@pytest.mark.parametrize("effect", ["null", "absent", "no fitted.json"])
def test_a_model_without_the_estimate_is_one_line(project, effect):
    write_known("older", None)
    path = Path("older/fitted.json")
    if effect == "absent":
        reseal(path, lambda content: content.pop("patient_effect"))
    elif effect == "no fitted.json":
        path.unlink()
    scan = ("0.nii.gz", "--at", FIRST, "--model", "older")
    assert predict(*scan).returncode == 0
    found = predict(*scan, "--known", f"benign@{SECOND}")
    assert (found.returncode, found.stdout) == (1, "")
    [line] = found.stderr.splitlines()
    assert line.startswith("error: older/fitted.json: has no patient effect, which known lesions")


@pytest.mark.parametrize(
    ("known", "message"),
    [
        (f"cancer@{SECOND}", "known is 'cancer', expected benign or malignant"),
        (f"benign@{FIRST}", "repeats a lesion of the patient, expected each lesion once"),
        ("benign@80,8,8", "lies outside the scan"),
    ],
)
def test_a_known_lesion_that_cannot_be_used_is_one_line(project, known, message):
    found = predict("0.nii.gz", "--at", FIRST, "--known", known)
    assert (found.returncode, found.stdout) == (1, "")
    [line] = [line for line in found.stderr.splitlines() if line.startswith("error: ")]
    assert line.startswith("error: --known: 0.nii.gz: ")
    assert message in line


def test_two_lesions_by_masks_are_not_the_same_lesion(project):
    scan = nibabel.load("0.nii.gz")
    for name, start in (("a.nii.gz", 6), ("b.nii.gz", 8)):
        mask = np.zeros(scan.shape, np.uint8)
        mask[start : start + 2, 7:9, 7:9] = 1
        nibabel.save(nibabel.Nifti1Image(mask, scan.affine), name)
    rows = ["patient,image,mask,known", "p,0.nii.gz,a.nii.gz,malignant", "p,0.nii.gz,b.nii.gz,"]
    Path(MANIFEST).write_text("\n".join(rows) + "\n")
    found = predict(MANIFEST, "--out", "out")
    assert (found.returncode, found.stderr.count("repeats a lesion")) == (0, 0)
    assert pd.read_csv("out/predictions.csv")["known_lesions"].tolist()[1] == 1


def test_a_misspelt_class_is_one_line_also_without_an_effect(project):
    write_known("none", NONE)
    found = predict("0.nii.gz", "--at", FIRST, "--model", "none", "--known", f"cancer@{SECOND}")
    assert found.returncode == 1
    assert "known is 'cancer', expected benign or malignant" in found.stderr


def test_rows_that_cannot_be_used_are_failures_and_the_others_go_on(project):
    write_manifest(
        "a,0.nii.gz,8,8,8,cancer",
        ",0.nii.gz,7,8,9,benign",
        "b,1.nii.gz,8,8,8,benign",
        "b,1.nii.gz,8,8,8,malignant",
        "b,1.nii.gz,7,8,9,",
    )
    found = predict(MANIFEST, "--out", "out")
    assert found.returncode == 1
    errors = [line for line in found.stderr.splitlines() if line.startswith("error: ")]
    assert errors == [
        "error: 0.nii.gz (line 2): known is 'cancer', expected benign or malignant, or nothing",
        "error: 0.nii.gz (line 3): is known, but its patient is not, expected a column patient",
        "error: 1.nii.gz (line 5): repeats a lesion of the patient, expected each lesion once",
    ]
    assert pd.read_csv("out/predictions.csv")["known_lesions"][4] == 1


def test_a_known_lesion_unlike_the_training_data_says_nothing_about_others(project):
    brightness = float(random_scan(seed=0).mean())
    near = {"intensity_mean": (brightness - 0.2, brightness + 0.2)}
    write_known("strict", ranges=near)
    dark = nibabel.Nifti1Image(random_scan(seed=1) / 9, np.eye(4))
    nibabel.save(dark, "1.nii.gz")
    write_manifest("a,1.nii.gz,8,8,8,malignant", "a,0.nii.gz,8,8,8,")
    found = predict(MANIFEST, "--model", "strict", "--out", "out")
    assert "1.nii.gz (line 2): is unlike the training data" in found.stderr
    written = pd.read_csv("out/predictions.csv")
    assert written["answer"][0] == "refused"
    assert written["known_lesions"].isna().all()


def test_names_of_patients_are_written_nowhere(project):
    write_manifest("Miller,0.nii.gz,8,8,8,malignant", "Miller,0.nii.gz,7,8,9,")
    found = predict(MANIFEST, "--out", "out", "--report")
    assert found.returncode == 0
    printed = found.stdout + found.stderr
    assert "Miller" not in printed + "".join(path.read_text() for path in Path("out").iterdir())
    assert "given 1 known lesion of the patient" in Path("out/report.html").read_text()


def test_show_says_whether_known_lesions_are_used(project):
    write_known("none", NONE)
    for model, expected in (("models/best", "τ = 2, which --known uses"), ("none", "no effect of")):
        [line] = [
            line
            for line in run_module("graft", "show", model).stdout.splitlines()
            if line.startswith("patients ")
        ]
        assert expected in line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("0.nii.gz", "--at", FIRST, "--known", "benign"), "expected CLASS@X,Y,Z"),
        (("0.nii.gz", "--at", FIRST, "--known", "benign@1,2"), "--known is '1,2', expected three"),
        ((MANIFEST, "--known", f"benign@{FIRST}"), "--known need --at or --mask"),
    ],
)
def test_wrong_usage_is_2(project, words, message):
    found = predict(*words)
    assert found.returncode == 2
    assert message in " ".join(found.stderr.split())
