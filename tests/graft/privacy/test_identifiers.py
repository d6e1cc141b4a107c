import csv
import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset
from ruamel.yaml import YAML

from graft.common.files import InputError
from graft.privacy import identifiers
from graft.privacy.search import TextSearch
from stages import preprocess, split

ROOT = Path(__file__).parents[3]
PATIENTS = 12
Change = Callable[[Dataset, int], None]


def identify(number: int, name: str) -> Change:
    """A change that writes identifiers of a patient into a slice."""

    def change(made: Dataset, k: int) -> None:
        made.PatientName = name
        made.PatientID = f"HOSP-{number:04}-XQ"
        made.PatientBirthDate = f"1937021{number % 10}"
        made.InstitutionName = "Saint Megaphone Infirmary"
        made.ReferringPhysicianName = "Bellowing^Doctor"
        made.StudyDescription = "Follow-up of Mr Thunderclap"
        made.AccessionNumber = f"ACC{number:07}"
        made.SeriesInstanceUID = f"2.25.9999{number}"
        pixels = np.frombuffer(made.PixelData, "<i2")
        made.PixelData = np.roll(pixels, 17 * number).tobytes()  # so that no two patients are equal

    return change


@pytest.fixture
def project(tmp_path, monkeypatch, write_series) -> Path:
    """A folder with params.yaml and a raw domain of 12 patients, each with a DICOM series."""
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    params["domains"]["lung"]["path"] = "raw"
    params["domains"]["lung"]["split"]["external"] = None
    params["preprocess"] = {"patch": [4, 4, 4], "spacing": [1.0, 1.0, 1.0]}
    yaml.dump(params, tmp_path / "params.yaml")
    rows = [("patient", "image", "label", "x", "y", "z", "diameter_mm")]
    for number in range(PATIENTS):
        name = f"Thunderclap{number}^Bartholomew"
        folder = f"{name.replace('^', ' ')}/CT"
        write_series(tmp_path / "raw" / folder, change=identify(number, name))
        label = ("benign", "malignant")[number % 2]
        rows.append((name, folder, label, 28, 17, 107, 8))
    with (tmp_path / "raw" / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def search_outputs() -> None:
    """Search the usual outputs that exist, as a user would name them."""
    usual = ("data/processed", "data/splits", "models", "metrics", ".graft", "dvc.lock")
    outputs = [Path(name) for name in usual if Path(name).exists()]
    identifiers.main(Path("raw"), outputs)


def reported_lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What a search that finds identifiers prints, which must not repeat them."""
    with pytest.raises(SystemExit) as ended:
        search_outputs()
    assert ended.value.code == 1
    printed = capsys.readouterr().out
    for word in ("thunderclap", "hosp-", "megaphone", "2.25"):
        assert word not in printed.lower()
    return printed.splitlines()


def test_no_identifier_passes_preprocessing_and_split(project, capfd):
    preprocess.main("lung")
    split.main("lung")
    log = "".join(capfd.readouterr())
    assert "lung: 12 lesions of 12 patients" in log
    (project / "metrics").mkdir()
    (project / "metrics" / "log.txt").write_text(log)
    search_outputs()
    printed = capfd.readouterr().out
    assert "raw: none of its " in printed
    assert "is in the 5 files of data/processed, data/splits, metrics" in printed


def test_identifiers_are_gathered_from_the_headers_of_dicom(project):
    gathered = identifiers.gather_identifiers(project / "raw")
    expected = {
        "HOSP-0003-XQ": "PatientID",
        "THUNDERCLAP3": "PatientName",
        "1937-02-13": "PatientBirthDate",
        "Saint Megaphone Infirmary": "InstitutionName",
        "Bellowing": "ReferringPhysicianName",
        "2.25.99993": "SeriesInstanceUID",
        "ACC0000003": "AccessionNumber",
    }
    assert expected.items() <= gathered.items()
    for text in gathered:
        assert not text.startswith("1.2.840.10008")  # the UIDs of the DICOM standard


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


@pytest.mark.parametrize(("path", "content", "kind"), PLANTED, ids=[path for path, _, _ in PLANTED])
def test_a_planted_identifier_is_found_and_not_repeated(project, capsys, path, content, kind):
    file = project / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    assert reported_lines(capsys) == [f"{path}: contains a {kind}"]


def test_a_name_in_an_array_is_found(project, capsys):
    (project / "metrics").mkdir()
    np.save(project / "metrics" / "a.npy", np.array(["x", "Thunderclap5^Bartholomew"]))
    assert "metrics/a.npy: contains a PatientName" in reported_lines(capsys)


def test_an_identifier_in_the_name_of_a_file_is_found(project, capsys):
    (project / "metrics").mkdir()
    file = project / "metrics" / "HOSP-0007-XQ.npy"
    with file.open("wb") as stream:
        np.savez_compressed(stream, np.zeros(9))
    message = "metrics: a file that cannot be named here: has a PatientID in its name"
    assert message in reported_lines(capsys)


@pytest.mark.parametrize(
    ("content", "kinds"),
    [
        (b"0.1234, 91234, 12345, AnneX, planAnne", set()),
        (b"scan1234.png", {"PatientID"}),
        (b"Anne_1", {"PatientName"}),
        (b"xGertrudex", {"PatientName"}),
        (b"Ger", set()),
        (b"", set()),
    ],
)
def test_short_identifiers_are_found_only_as_whole_words(content, kinds):
    search = TextSearch({"1234": "PatientID", "Anne": "PatientName", "Gertrude": "PatientName"})
    assert search.find_kinds(content) == kinds


@pytest.mark.parametrize(("raw", "output"), [("gone", "raw"), ("raw", "gone")])
def test_a_missing_folder_is_refused(project, raw, output):
    with pytest.raises(InputError, match="gone: is missing"):
        identifiers.main(Path(raw), [Path(output)])


def test_a_damaged_archive_is_refused(project):
    (project / "metrics").mkdir()
    content = gzip.compress(b"0" * 99)
    (project / "metrics" / "a.gz").write_bytes(content[:-9])
    with pytest.raises(InputError, match="metrics/a.gz: cannot be unpacked"):
        search_outputs()
