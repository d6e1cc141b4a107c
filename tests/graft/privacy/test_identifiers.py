import csv
import gzip
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from graft.common.files import InputError
from graft.privacy import identifiers
from graft.privacy.search import TextSearch
from stages import preprocess, split

ROOT = Path(__file__).parents[3]
PATIENTS = 12


@pytest.fixture
def project(tmp_path, monkeypatch, write_series) -> Path:
    """A folder with params.yaml and a raw domain of 12 patients, each with a DICOM series."""
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    params["domains"]["lung"] |= {"path": "raw"}
    params["domains"]["lung"]["split"]["external"] = None
    params["preprocess"] = {"patch": [4, 4, 4], "spacing": [1.0, 1.0, 1.0]}
    yaml.dump(params, tmp_path / "params.yaml")
    rows = []
    for number in range(PATIENTS):
        name = f"Thunderclap{number}^Bartholomew"

        def loud(made, k, number=number, name=name):
            made.PatientName, made.PatientID = name, f"HOSP-{number:04}-XQ"
            made.PatientBirthDate = f"1937021{number % 10}"
            made.InstitutionName, made.ReferringPhysicianName = (
                "Saint Megaphone Infirmary",
                "Bellowing^Doctor",
            )
            made.StudyDescription, made.AccessionNumber = (
                "Follow-up of Mr Thunderclap",
                f"ACC{number:07}",
            )
            made.SeriesInstanceUID = f"2.25.9999{number}"
            pixels = np.frombuffer(made.PixelData, "<i2")
            made.PixelData = np.roll(pixels, 17 * number).tobytes()  # no two patients look the same

        folder = f"{name.replace('^', ' ')}/CT"
        write_series(tmp_path / "raw" / folder, change=loud)
        rows.append((name, folder, ("benign", "malignant")[number % 2], 28, 17, 107, 8))
    with (tmp_path / "raw" / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            (("patient", "image", "label", "x", "y", "z", "diameter_mm"), *rows)
        )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def search() -> None:
    """Search the usual outputs that exist, as a user would name them."""
    usual = ("data/processed", "data/splits", "models", "metrics", ".graft", "dvc.lock")
    outputs = [Path(name) for name in usual if Path(name).exists()]
    identifiers.main(Path("raw"), outputs)


def found(capsys) -> list[str]:
    with pytest.raises(SystemExit) as ended:
        search()
    assert ended.value.code == 1
    lines = capsys.readouterr().out.splitlines()
    assert not any(
        word in line.lower()
        for line in lines
        for word in ("thunderclap", "hosp-", "megaphone", "2.25")
    )
    return lines


def test_nothing_that_names_a_patient_passes_preprocessing_and_split(project, capfd):
    preprocess.main("lung")
    split.main("lung")
    assert "lung: 12 lesions of 12 patients" in (out := "".join(capfd.readouterr()))
    (project / "metrics").mkdir()
    (project / "metrics" / "log.txt").write_text(out)
    search()
    said = capfd.readouterr().out
    assert (
        "raw: none of its " in said
        and "is in the 5 files of data/processed, data/splits, metrics" in said
    )
    gathered = identifiers.gather_identifiers(project / "raw")
    expected = {
        "HOSP-0003-XQ": "PatientID",
        "THUNDERCLAP3": "PatientName",
        "1937-02-13": "PatientBirthDate",
    }
    expected |= {
        "Saint Megaphone Infirmary": "InstitutionName",
        "Bellowing": "ReferringPhysicianName",
    }
    expected |= {"2.25.99993": "SeriesInstanceUID", "ACC0000003": "AccessionNumber"}
    assert expected.items() <= gathered.items() and not any(
        text.startswith("1.2.840.10008") for text in gathered
    )


def test_errors_name_neither_files_of_a_series_nor_patients(project):
    next((project / "raw").rglob("slice-03.dcm")).write_bytes(b"")
    with pytest.raises(InputError) as caught:
        preprocess.main("lung")
    assert "file 3 of 6, sorted by name, does not begin as DICOM does" in str(caught.value)
    assert "slice-03" not in str(caught.value)


PLANTED = [
    ("models/card.json", b'{"note": "seen by bellowing"}', "ReferringPhysicianName"),
    ("metrics/a.csv", "1,HOSP-0007-XQ\n".encode("utf-16"), "PatientID"),
    ("data/splits/x.csv.gz", gzip.compress(b"0,1937-02-13"), "PatientBirthDate"),
    (".graft/log", b"\0\xff" * 4999 + b"2.25.99994" + b"\0" * 9, "SeriesInstanceUID"),
    ("dvc.lock", b"about Follow-up of Mr Thunderclap", "StudyDescription"),
]


@pytest.mark.parametrize("path, content, kind", PLANTED, ids=[path for path, _, _ in PLANTED])
def test_what_is_planted_is_found_and_not_repeated(project, capsys, path, content, kind):
    (project / path).parent.mkdir(parents=True, exist_ok=True)
    (project / path).write_bytes(content)
    assert found(capsys) == [f"{path}: contains a {kind}"]


def test_names_in_arrays_and_in_names_of_files_are_found(project, capsys):
    (project / "metrics").mkdir()
    np.save(project / "metrics" / "a.npy", np.array(["x", "Thunderclap5^Bartholomew"]))
    assert "metrics/a.npy: contains a PatientName" in found(capsys)
    np.savez_compressed(project / "metrics" / "a.npy", np.zeros(9))
    (project / "metrics" / "a.npy").rename(project / "metrics" / "HOSP-0007-XQ.npy")
    assert "metrics: a file that cannot be named here: has a PatientID in its name" in found(capsys)


def test_short_texts_count_as_words_only():
    search = TextSearch({"1234": "PatientID", "Anne": "PatientName", "Gertrude": "PatientName"})
    assert search.find_kinds(b"0.1234, 91234, 12345, AnneX, planAnne") == set()
    assert search.find_kinds(b"scan1234.png") == {"PatientID"} and search.find_kinds(b"Anne_1") == {
        "PatientName"
    }
    assert (
        search.find_kinds(b"xGertrudex") == {"PatientName"}
        and search.find_kinds(b"Ger") == search.find_kinds(b"") == set()
    )


def test_missing_folders_and_damaged_archives_are_one_line(project):
    for raw, output in (("gone", "raw"), ("raw", "gone")):
        with pytest.raises(InputError, match="gone: is missing"):
            identifiers.main(Path(raw), [Path(output)])
    (project / "metrics").mkdir()
    (project / "metrics" / "a.gz").write_bytes(gzip.compress(b"0" * 99)[:-9])
    with pytest.raises(InputError, match="metrics/a.gz: cannot be unpacked"):
        search()
