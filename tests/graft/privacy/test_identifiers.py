import csv
import gzip
import hashlib
import json
import os
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset
from ruamel.yaml import YAML

from graft.common.files import InputError
from graft.privacy import contents, identifiers
from graft.privacy.gather import Identifiers, Origin, gather_identifiers, list_raw_files
from graft.privacy.own_words import own_words
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


@pytest.fixture(scope="module")
def template(tmp_path_factory, write_series) -> Path:
    """A folder with params.yaml and a raw domain of 12 patients, each with a DICOM series."""
    folder = tmp_path_factory.mktemp("template")
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    params["domains"]["lung"]["path"] = "raw"
    params["domains"]["lung"]["split"]["external"] = None
    params["preprocess"] = {"patch": [4, 4, 4], "spacing": [1.0, 1.0, 1.0]}
    yaml.dump(params, folder / "params.yaml")
    rows = [("patient", "image", "label", "x", "y", "z", "diameter_mm")]
    for number in range(PATIENTS):
        name = f"Thunderclap{number}^Bartholomew"
        series = f"{name.replace('^', ' ')}/CT"
        write_series(folder / "raw" / series, change=identify(number, name))
        label = ("benign", "malignant")[number % 2]
        rows.append((name, series, label, 28, 17, 107, 8))
    with (folder / "raw" / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder


@pytest.fixture
def project(template, tmp_path, monkeypatch) -> Path:
    """A copy of the folder, as the working directory."""
    folder = shutil.copytree(template, tmp_path / "project")
    monkeypatch.chdir(folder)
    return folder


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
    outputs = "data/processed, data/splits, metrics, .graft"  # it has a file per scan and two more
    assert f"is in the {6 + PATIENTS + 2} files of {outputs} (0 texts were" in printed


def test_identifiers_are_gathered_from_the_headers_of_dicom(project):
    gathered = gather_identifiers(project / "raw").origins
    expected = {
        "HOSP-0003-XQ": "PatientID",
        "THUNDERCLAP3": "PatientName",
        "1937-02-13": "PatientBirthDate",
        "Saint Megaphone Infirmary": "InstitutionName",
        "Bellowing": "ReferringPhysicianName",
        "2.25.99993": "SeriesInstanceUID",
        "ACC0000003": "AccessionNumber",
    }
    assert expected.items() <= {text: origin.kind for text, origin in gathered.items()}.items()
    for text in gathered:
        assert not text.startswith("1.2.840.10008")  # the UIDs of the DICOM standard


def test_errors_name_neither_files_of_a_series_nor_patients(project):
    next((project / "raw").rglob("slice-03.dcm")).write_bytes(b"")
    with pytest.raises(InputError) as caught:
        preprocess.main("lung")
    assert "file 3 of 6, sorted by name, does not begin as DICOM does" in str(caught.value)
    assert "slice-03" not in str(caught.value)


FROM_4 = "(from raw: file 31 of 73)"  # the first slice of patient 3
PLANTED = [
    (
        "models/card.json",
        b'{\n"note": "seen by bellowing"}',
        ":2: contains a ReferringPhysicianName of the form xxxxxxxxx (from raw: file 1 of 73)",
    ),
    (
        "metrics/a.csv",
        "1,HOSP-0003-XQ\n2,HOSP-0003-XQ".encode("utf-16-le"),
        f" (byte 3): contains a PatientID of the form XXXX-9999-XX {FROM_4}, and 1 more",
    ),
    (
        "data/splits/x.csv.gz",
        gzip.compress(b"0,1\n0,1937-02-13"),
        f" (unpacked file 1):2: contains a PatientBirthDate of the form 9999-99-99 {FROM_4}",
    ),
    (
        ".graft/log",
        b"\0\xff" * 4999 + b"2.25.99993" + b"\0" * 9,
        f" (byte 9998): contains a SeriesInstanceUID of the form 9.99.99999 {FROM_4}",
    ),
    (
        "dvc.lock",
        b"about Follow-up of Mr Thunderclap",
        ":1: contains a StudyDescription of the form Xxxxxx-xx xx Xx Xxxxxxxxxxx "
        "(from raw: file 1 of 73)",
    ),
]


@pytest.mark.parametrize(("path", "content", "line"), PLANTED, ids=[path for path, _, _ in PLANTED])
def test_a_planted_identifier_is_found_and_not_repeated(project, capsys, path, content, line):
    file = project / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    assert reported_lines(capsys) == [f"{path}{line}", identifiers.WHAT_TO_DO]


def test_the_raw_file_of_a_finding_is_shown_on_request(project, capsys):
    identifiers.main(Path("raw"), show=31)
    assert capsys.readouterr().out.startswith("raw/Thunderclap3 Bartholomew/CT/slice-")
    with pytest.raises(InputError, match="--show: got 74, expected 1 to 73"):
        identifiers.main(Path("raw"), show=74)


def test_a_name_in_an_array_is_found(project, capsys):
    (project / "metrics").mkdir()
    np.save(project / "metrics" / "a.npy", np.array(["x", "Thunderclap5^Bartholomew"]))
    found = "metrics/a.npy (byte 224): contains a patient of manifest.csv of the form Xxxxxxxxxxx9"
    assert any(line.startswith(found) for line in reported_lines(capsys))


def test_an_identifier_in_the_name_of_a_file_is_found(project, capsys):
    (project / "metrics").mkdir()
    file = project / "metrics" / "HOSP-0007-XQ.npy"
    with file.open("wb") as stream:
        np.savez_compressed(stream, np.zeros(9))
    message = "metrics: a file that cannot be named here: has in its name a PatientID of the form"
    assert reported_lines(capsys)[0].startswith(message)


def test_a_far_identifier_is_found_once_with_its_line(project, capsys, monkeypatch):
    monkeypatch.setattr(contents, "READ_AT_ONCE", 5000)
    (project / "metrics").mkdir()
    text = b"row\n" * 2400 + b"Bellowing\n" + b"row\n" * 2000
    (project / "metrics" / "log").write_bytes(text)
    found = reported_lines(capsys)
    assert found[0].startswith("metrics/log:2401: contains a ReferringPhysicianName")
    assert "more" not in found[0]


def plant_object(content: bytes, suffix: str = "") -> Path:
    """Write a file into the cache of DVC, as DVC does."""
    digest = hashlib.md5(content).hexdigest()
    file = Path(".dvc/cache/files/md5", digest[:2], digest[2:] + suffix)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def listing(*entries: tuple[str, bytes]) -> bytes:
    found = []
    for name, content in entries:
        found.append({"md5": hashlib.md5(content).hexdigest(), "relpath": name})
    return json.dumps(found).encode()


def search_cache() -> None:
    identifiers.main(Path("raw"), [Path(".dvc")])


def test_names_in_the_cache_of_dvc_are_found_and_resolved(project, capsys):
    table = plant_object(b"sample\nBellowing\n")
    folder = plant_object(
        listing(("index.csv", table.read_bytes()), ("Thunderclap3/x", b"")), ".dir"
    )
    with pytest.raises(SystemExit):
        search_cache()
    printed = capsys.readouterr().out
    assert f"{table} (index.csv):2: contains a ReferringPhysicianName" in printed
    assert f"{folder}:1: contains a PatientName of the form Xxxxxxxxxxx9 (from raw: " in printed
    assert "Thunderclap" not in printed


def test_raw_data_in_the_cache_of_dvc_is_counted_and_no_finding(project, capsys):
    entries = []
    for file in list_raw_files(project / "raw"):
        content = file.read_bytes()
        plant_object(content)
        entries.append((str(file.relative_to(project / "raw")), content))
    plant_object(listing(*entries), ".dir")
    search_cache()
    printed = capsys.readouterr().out
    assert f".dvc: has copies of {len(entries)} raw files, which `dvc add` made" in printed
    assert ".dvc: has the names of the raw files, which DVC lists for its stages" in printed


def test_the_list_of_the_raw_data_that_a_stage_read_is_no_copy(project, capsys):
    files = list_raw_files(project / "raw")
    plant_object(listing(*((file.name, file.read_bytes()) for file in files)), ".dir")
    search_cache()
    printed = capsys.readouterr().out
    assert ".dvc: has the names of the raw files" in printed and "copies" not in printed


def test_a_name_that_is_not_utf_8_can_be_printed(project, capsys):
    table = plant_object(b"Bellowing")
    digest = hashlib.md5(b"Bellowing").hexdigest()
    plant_object(json.dumps([{"md5": digest, "relpath": "\ud800"}]).encode(), ".dir")
    Path(os.fsdecode(b".dvc/\xff")).write_bytes(b"Bellowing")
    with pytest.raises(SystemExit):
        search_cache()
    printed = capsys.readouterr().out.encode().decode()
    assert f"{table} (?):1: contains a ReferringPhysicianName" in printed
    assert ".dvc/\N{REPLACEMENT CHARACTER}:1: contains a ReferringPhysicianName" in printed


@pytest.mark.parametrize("content", [b"[1]", b"{}", b"[", b"[{}]", b'[{"md5": [], "relpath": 1}]'])
def test_a_damaged_list_in_the_cache_is_searched_as_a_file(project, capsys, content):
    plant_object(content, ".dir")
    search_cache()
    assert "is in the 1 files of .dvc" in capsys.readouterr().out


def test_words_of_graft_that_are_parts_of_a_name_are_no_findings(tmp_path, capsys, write_series):
    def change(made: Dataset, k: int) -> None:
        made.PatientName, made.PatientID = "liver_01^patient^label", "TEST-1"
        made.InstitutionName, made.StudyDescription = "sample", "malignant"

    write_series(tmp_path / "raw/ct", change=change)
    (tmp_path / "raw/manifest.csv").write_text("patient,label\nA-17-B,suspect\n")
    out = tmp_path / "out"
    out.mkdir()
    (out / "index.csv").write_text("sample,patient,label\n0,00ff,malignant\n")
    (out / "dvc.lock").write_text("key_variable: GRAFT_PATIENT_KEY\n")
    (out / "page.html").write_text("<p>90 patients, sampled per patient, one label each</p>")
    identifiers.main(tmp_path / "raw", [out])
    assert "none of its" in capsys.readouterr().out
    (out / "log").write_text("row 3: liver_01^patient^label\nPATIENT\n")
    with pytest.raises(SystemExit):
        identifiers.main(tmp_path / "raw", [out])
    assert f"{out}/log:1: contains a PatientName of the form " in capsys.readouterr().out


def test_first_names_and_surnames_are_no_words_of_graft():
    names = "Anne Gertrude Maria Ahmed Wei Schmidt Garcia Novak Smith Mueller Forman Narayanan"
    assert not own_words().intersection(names.split())
    assert {"patient", "label", "malignant", "performance"} <= own_words()


NAMES = ("1234567", "001234", "Anne", "Gertrude", "1.2.840.7")
CHANCE = [
    b"0.1234567, 91234567, 12345678, AnneX, planAnne, 1001234, 0.001234",
    b"9f1234567ab0c3de55",  # a digest
    b"\0\x93Anne\xf0",  # compressed
    b"A" * 150 + b"+Anne+" + b"b9/" * 60,  # a picture in HTML
    b"11.2.840.7, 1.2.840.71",
    b"Ger",
    b"",
]
CERTAIN = [
    (b"scan1234567.png", "1234567"),
    (b"id=001234;", "001234"),
    (b"Anne_1", "Anne"),
    (b"\0Anne\0", "Anne"),
    (b"xGertrudex", "Gertrude"),
    (b"\xff1.2.840.7\0", "1.2.840.7"),
    (b"1.2.840.7.dcm", "1.2.840.7"),
    ("x 1.2.840.7 x".encode("utf-16-le"), "1.2.840.7"),
    ("x 1.2.840.7".encode("utf-16-be"), "1.2.840.7"),
    ("x 1.2.840.7 x".encode("utf-32-le"), "1.2.840.7"),
    ("Anne".encode("utf-16-be"), "Anne"),
]


@pytest.mark.parametrize("content", CHANCE)
def test_what_turns_up_by_chance_is_no_finding(content):
    assert not list(TextSearch(NAMES).find(content))


@pytest.mark.parametrize(("content", "text"), CERTAIN)
def test_identifiers_are_found_in_every_encoding(content, text):
    assert [match.text for match in TextSearch(NAMES).find(content)] == [text]


def test_a_part_of_a_word_of_graft_is_no_finding():
    search = TextSearch(["Forman", "forman"], {"performance"})
    assert not list(search.find(b"its performance is"))
    assert [match.start for match in search.find(b"performances Forman")] == [3, 13]


@pytest.mark.parametrize("written", ["Müller", "MÜLLER", "M\\u00fcller", "Mu\u0308ller"])
def test_a_name_with_an_accent_is_found_in_all_forms(written):
    found = Identifiers()
    found.add("Müller", Origin("PatientName", "", 1))
    assert list(TextSearch(found.origins).find(f"by {written}.".encode()))


def test_short_texts_are_counted_and_two_characters_of_chinese_are_long_enough():
    found = Identifiers()
    for text in ("Ng", "12345", "", "王伟", "0012", "001234"):
        found.add(text, Origin("PatientName", "", 1))
    assert set(found.origins) == {"王伟", "001234"}
    assert found.left_out == 3


def test_uids_take_little_memory():
    def uid(number: int) -> str:
        return f"1.3.6.1.4.1.14519.5.2.1.{number * 7919}.{number * 104729}.{number * 1299709}"

    uids = [uid(number) for number in range(1, 20_001)]
    tracemalloc.start()
    search = TextSearch(uids)
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert taken / len(uids) < 300  # bytes, beside the text itself
    assert [match.text for match in search.find(f"a {uids[77]} b".encode())] == [uids[77]]


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
