"""`graft predict` as a user types it, in this process."""

from pathlib import Path
from subprocess import CompletedProcess

import nibabel
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from graft.data.predictions import probability_table, write_table
from graft.grids.grid import Grid
from graft.ingest.rows import MANIFEST
from graft.networks.saved import load_model
from tests.commands import run_module
from tests.raw import read_domain
from tests.trained import fitted_values, random_scan, write_trained

LABELS = ("benign", "malignant")
GRID = Grid((8, 8, 8), (1.0, 1.0, 1.0), (0.0, 1.0))
AGE = {"name": "age", "kind": "number", "mean": 60.0, "std": 10.0}


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A folder with a model, a scan with a mask, and a series of no use."""
    monkeypatch.chdir(tmp_path)
    write_trained(Path("models/best"), fitted=fitted_values())
    nibabel.save(nibabel.Nifti1Image(random_scan(), np.eye(4)), "scan.nii.gz")
    mask = np.zeros((16, 16, 16), np.uint8)
    mask[6:9, 6:9, 6:9] = 1
    nibabel.save(nibabel.Nifti1Image(mask, np.eye(4)), "mask.nii.gz")
    return tmp_path


def predict(*words: str) -> CompletedProcess[str]:
    return run_module("graft", "predict", *words)


def test_one_scan_is_answered_in_full(project):
    found = predict("scan.nii.gz", "--at", "8,8,8")
    assert found.returncode == 0
    assert found.stdout.splitlines()[0].startswith("scan.nii.gz: ")
    assert "For research only" in found.stdout
    assert found.stderr == ""


def test_a_mask_is_as_good_as_its_middle(project):
    by_mask = predict("scan.nii.gz", "--mask", "mask.nii.gz")
    by_place = predict("scan.nii.gz", "--at", "-7,-7,7", "--frame", "lps")
    by_index = predict("scan.nii.gz", "--at=7,7,7", "--frame", "voxel")
    assert by_mask.stdout == by_place.stdout == by_index.stdout != ""


def test_a_manifest_gives_a_line_each_and_bad_scans_a_message_each(project):
    rows = "image,x,y,z\nscan.nii.gz,8,8,8\nno.nii.gz,1,2,3\nscan.nii.gz,7,8,9\n"
    Path(MANIFEST).write_text(rows)
    found = predict(MANIFEST, "missing.csv", "--out", "out")
    assert found.returncode == 1
    assert [line.partition(":")[0] for line in found.stdout.splitlines()] == [
        "scan.nii.gz (line 2)",
        "scan.nii.gz (line 4)",
    ]
    errors = [line for line in found.stderr.splitlines() if line.startswith("error: ")]
    assert errors == [
        "error: no.nii.gz (line 3): is missing, expected a file",
        "error: missing.csv: is missing, expected a scan, a picture, an array or a folder",
    ]
    assert "2 predictions, 2 failures" in found.stderr
    assert len(pd.read_csv("out/predictions.csv")) == 4


def test_everything_is_written_at_once(project):
    found = predict(
        "scan.nii.gz", "--at", "8,8,8", "--out", "out", "--explain", "--report", "--method",
        "grad_cam",
    )  # fmt: skip
    assert found.returncode == 0
    names = sorted(path.relative_to("out").as_posix() for path in Path("out").rglob("*"))
    assert names == [
        "maps",
        "maps/0001.nii.gz",
        "predictions.csv",
        "predictions.json",
        "report.html",
    ]


def test_an_older_model_says_once_what_is_missing(project):
    write_trained(Path("old"))
    Path(MANIFEST).write_text("image,x,y,z\nscan.nii.gz,8,8,8\nscan.nii.gz,7,8,9\n")
    found = predict(MANIFEST, "--model", "old")
    assert found.returncode == 0
    assert found.stderr.count("old: has no fitted.json") == 1


def test_covariates_are_given_by_name(project):
    write_trained(Path("aged"), covariates=(AGE,), width=2)
    one = ("scan.nii.gz", "--at", "8,8,8", "--model", "aged")
    assert predict(*one, "--covariate", "age=63").returncode == 0
    assert predict(*one, "--covariate", "age=").returncode == 0
    missing = predict(*one)
    assert missing.returncode == 1
    assert "covariates: age is missing" in missing.stderr
    unknown = predict(*one, "--covariate", "age=63", "--covariate", "sex=f")
    assert unknown.stderr == "error: covariates: got 'sex', expected some of: age\n"


def test_pictures_of_a_folder(project):
    write_trained(Path("flat"), (16, 16), spaced=False, window=(0, 255), fitted=fitted_values())
    Path("new").mkdir()
    for number in range(3):
        pixels = (random_scan((20, 18), number) * 255).astype(np.uint8)
        Image.fromarray(pixels).save(f"new/{number}.png")
    found = predict("new", "--model", "flat", "--out", "out", "--explain", "--report")
    assert found.returncode == 0
    assert len(found.stdout.splitlines()) == 3
    assert "no map, because pictures and arrays have no grid in mm" in found.stderr
    assert Path("out/report.html").read_text().count("data:image/png") == 3


def test_raw_scans_without_labels_give_the_probabilities_of_the_metrics(project):
    """The table of `evaluate` has them from all samples of a part, in batches."""
    rows = ["patient,image,label,x,y,z,diameter_mm"]
    places = np.random.default_rng(3).uniform(5, 10, (21, 3)).round(2)
    for number, (x, y, z) in enumerate(places.tolist()):
        rows.append(f"p{number % 4},{number % 4}.nii.gz,{LABELS[number % 4 % 2]},{x},{y},{z},9.5")
    Path("raw").mkdir()
    for number in range(4):
        scan = nibabel.Nifti1Image(random_scan(seed=number), np.eye(4))
        nibabel.save(scan, f"raw/{number}.nii.gz")
    rows = [row.split(",") for row in rows]
    Path("raw/manifest.csv").write_text("\n".join(",".join(row) for row in rows) + "\n")
    domain = read_domain(Path("raw"), "liver", list(LABELS), GRID)
    write_table(
        Path("expected.csv"),
        probability_table(load_model(Path("models/best")).predict(domain.images), LABELS),
    )
    unlabelled = [",".join(row[1:2] + row[3:6]) for row in rows]
    Path("raw/manifest.csv").write_text("\n".join(unlabelled) + "\n")
    assert predict("raw", "--out", "out").returncode == 0
    found = pd.read_csv("out/predictions.csv", dtype=str)
    expected = pd.read_csv("expected.csv", dtype=str)
    assert found[list(expected)].equals(expected)


def test_a_name_like_a_formula_is_a_failure_that_can_be_written(project):
    Path("scan.nii.gz").rename("=1+1.nii.gz")
    found = predict("=1+1.nii.gz", "--at", "8,8,8", "--out", "one")
    missing = predict("=2+2.csv", "--out", "two")
    for ended, folder in ((found, "one"), (missing, "two")):
        assert ended.returncode == 1
        assert "error: scan: its name is '=" in ended.stderr
        table = pd.read_csv(f"{folder}/predictions.csv")
        assert table["scan"].tolist() == ["scan"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "Missing argument"),
        (("scan.nii.gz", "--at", "8,8"), "expected three numbers with commas"),
        (("scan.nii.gz", "--at", "nan,0,0"), "expected three numbers with commas"),
        (("scan.nii.gz", "b.nii.gz", "--at", "8,8,8"), "expected one INPUT"),
        (("scan.nii.gz", "--at", "8,8,8", "--frame", "mni"), "'mni' is not one of"),
        (("scan.nii.gz", "--series", "2"), "need --at or --mask"),
        (("scan.nii.gz", "--at", "8,8,8", "--report"), "expected --out FOLDER"),
        (("scan.nii.gz", "--at", "8,8,8", "--covariate", "age"), "expected NAME=VALUE"),
        (("scan.nii.gz", "--at", "8,8,8", "--diameter", "big"), "Invalid value for '--diameter'"),
    ],
)
def test_wrong_usage_is_2(project, words, message):
    found = predict(*words)
    assert found.returncode == 2
    assert message in " ".join(found.stderr.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("scan.nii.gz",), "scan.nii.gz: is a scan, which needs the position of its lesion"),
        (("scan.nii.gz", "--at", "80,8,8"), "lies outside the scan"),
        (("scan.nii.gz", "--at", "8,1e7,8"), "expected three numbers, at most 1e+06 either way"),
        (("scan.nii.gz", "--at", "8,8,8", "--model", "no"), "no/card.json: is missing"),
        (("scan.nii.gz", "--at", "8,8,8", "--out", "."), "expected a new folder"),
        (("scan.nii.gz", "--at", "8,8,8", "--out", "scan.nii.gz"), "is a file, expected a folder"),
        (("scan.nii.gz", "--mask", "scan.nii.gz"), "scan.nii.gz"),
    ],
)
def test_an_input_that_cannot_be_used_is_1_and_one_line(project, words, message):
    found = predict(*words)
    assert found.returncode == 1
    assert found.stdout == ""
    errors = [line for line in found.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert message in errors[0]
    assert "Traceback" not in found.stderr
