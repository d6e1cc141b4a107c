import datetime
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pydicom.data
import pytest
from highdicom._standard_utils import (
    get_iod_module_map,
    get_module_attribute_map,
    get_sop_class_iod_map,
)
from highdicom.sr.utils import find_content_items
from pydicom import Dataset, dcmread
from pydicom.sr.codedict import codes

from graft.common.files import InputError
from graft.familiarity.familiar import Reason
from graft.prediction.lesions import Lesion
from graft.prediction.prediction import Prediction
from graft.structured_report import codes as own
from graft.structured_report.write import check_dicom, write_structured_reports
from tests.graft.conftest import FRAME, SERIES, STUDY

SAMPLES = Path(pydicom.data.__file__).parent / "test_files"
WHEN = datetime.datetime(2026, 1, 2, 3, 4, 5)
MODEL = "ab" * 32
PATIENT = {"PatientBirthDate": "19600102", "PatientSex": "F", "StudyID": "S1"}
VALIDATOR = os.environ.get("DCIODVFY") or shutil.which("dciodvfy")


def predict(image: Path, **changes: object) -> Prediction:
    """A prediction for a lesion of a series."""
    made = Prediction(
        lesion=Lesion(image, position=(25.0, 18.0, 105.0)),
        probabilities={"benign": 0.412345, "malignant": 0.587655},
        calibrated={"benign": 0.3, "malignant": 0.7},
        point="sensitivity",
        threshold=0.31,
        called="malignant",
        plausible=("benign", "malignant"),
        answer="cannot tell",
        refused=(),
        measurements={},
        model=MODEL,
    )
    return replace(made, **changes)


@pytest.fixture
def series(tmp_path, write_series) -> Path:
    """A CT series with a patient."""

    def add_patient(made: Dataset, k: int) -> None:
        for name, value in PATIENT.items():
            setattr(made, name, value)

    write_series(tmp_path / "ct", change=add_patient)
    return tmp_path / "ct"


def write_one(folder: Path, *predictions: Prediction) -> Path:
    (path,) = write_structured_reports(folder, predictions, WHEN)
    return path


def groups_of(path: Path) -> list:
    report = highdicom.sr.srread(path)
    return report.content.get_planar_roi_measurement_groups()


def evaluations_of(group: object) -> dict[str, str]:
    return {
        found.name.meaning: found.value.meaning for found in group.get_qualitative_evaluations()
    }


def texts_of(path: Path) -> dict[str, list[str]]:
    """The texts of a report by the meaning of their concepts."""
    found: dict[str, list[str]] = {}
    root = highdicom.sr.srread(path).content[0]
    for item in find_content_items(root, value_type="TEXT", recursive=True):
        found.setdefault(item.name.meaning, []).append(item.value)
    return found


def test_a_report_is_read_back_as_the_predictions_say(tmp_path, series):
    unfamiliar = (Reason("spacing", "spacing_mm is 9, and it was 1 to 5 in training."),)
    second = predict(
        series,
        lesion=Lesion(series, position=(1.0, 2.0, 3.0), frame="voxel"),
        answer="refused",
        refused=unfamiliar,
        called="benign",
    )
    path = write_one(tmp_path, predict(series), second)
    first_group, second_group = groups_of(path)
    probability, raw = first_group.get_measurements()
    assert probability.name == codes.DCM.ProbabilityOfCancer
    assert (probability.value, probability.unit) == (70.0, codes.UCUM.Percent)
    assert raw.name.scheme_designator == own.SCHEME
    assert (raw.value, raw.unit) == (0.587655, codes.UCUM.NoUnits)
    assert evaluations_of(first_group) == {
        "Geometric purpose of region": "Center",
        "Intended use": "Research only, not for diagnosis",
        "Class at the operating point": "Malignant",
        "Answer": "Indeterminate",
        "Image is like the training data": "Yes",
    }
    assert evaluations_of(second_group)["Answer"].startswith("Refused")
    assert evaluations_of(second_group)["Class at the operating point"] == "Benign"
    assert evaluations_of(second_group)["Image is like the training data"] == "No"
    texts = texts_of(path)
    assert texts["Reason for the refusal"] == [f"spacing: {unfamiliar[0].text}"]
    assert texts["Conformal set"] == ["benign, malignant"] * 2
    assert texts["Operating point"] == ["sensitivity: malignant from 0.31 before calibration"] * 2


def test_a_report_says_that_an_answer_is_based_on_known_lesions(tmp_path, series):
    known = {"lesions": 2, "calibrated_without": {"benign": 0.45, "malignant": 0.55}}
    path = write_one(tmp_path, predict(series), predict(series, known=known))
    expected = "given 2 known lesions of the patient; malignant 0.550 without"
    assert texts_of(path)["Known lesions of the patient"] == [expected]


def test_the_position_is_in_mm_of_the_frame_of_reference(tmp_path, series):
    lesions = [
        Lesion(series, position=(25.0, 18.0, 105.0)),
        Lesion(series, position=(-25.0, -18.0, 105.0), frame="lps"),
        Lesion(series, position=(1.0, 2.0, 3.0), frame="voxel"),
    ]
    path = write_one(tmp_path, *[predict(series, lesion=lesion) for lesion in lesions])
    positions = []
    for group in groups_of(path):
        region = group.roi
        assert region.graphic_type.value == "POINT"
        assert region.frame_of_reference_uid == FRAME
        positions.append(region.value[0])
    # spacing between rows 0.7 and columns 0.8 mm, slices 2.5 mm apart, from (-30, -20, 100)
    expected = [(-25, -18, 105), (-25, -18, 105), (-30 + 0.8, -20 + 1.4, 107.5)]
    assert np.allclose(positions, expected, atol=1e-4)
    first, again, other = (group.tracking_uid for group in groups_of(path))
    assert first == again != other


def test_software_is_the_observer_and_says_research_only(tmp_path, series):
    path = write_one(tmp_path, predict(series))
    report = highdicom.sr.srread(path)
    (context,) = report.content.get_observer_contexts(observer_type=codes.DCM.Device)
    attributes = context.observer_identifying_attributes
    assert attributes.name == "graft (research only)"
    assert attributes.serial_number == MODEL
    assert attributes.model_name.startswith("graft ")
    assert "Research only" in report.SeriesDescription
    assert report.DeviceSerialNumber == MODEL
    (group,) = groups_of(path)
    assert f"SHA-256 of the model: {MODEL}" in texts_of(path)["Algorithm Parameters"]
    assert report.VerificationFlag == "UNVERIFIED"


def test_patient_and_study_are_those_of_the_series(tmp_path, series):
    report = dcmread(write_one(tmp_path, predict(series)))
    assert report.StudyInstanceUID == STUDY
    assert report.SeriesInstanceUID != SERIES
    assert report.PatientID == "PID-77-4711"
    assert {name: report[name].value for name in PATIENT} == PATIENT
    assert report.AccessionNumber == ""  # which the series does not have
    (study,) = report.CurrentRequestedProcedureEvidenceSequence
    (referenced,) = study.ReferencedSeriesSequence
    assert referenced.SeriesInstanceUID == SERIES
    assert len(referenced.ReferencedSOPSequence) == 6


@pytest.mark.parametrize(
    ("characters", "name"),
    [
        (None, "Doe^Jane"),
        ("ISO_IR 100", "Müller^Jörg"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    ],
)
def test_names_in_any_script_are_kept(tmp_path, write_series, characters, name):
    def rename(made: Dataset, k: int) -> None:
        if characters:
            made.SpecificCharacterSet = characters
        made.PatientName = name

    write_series(tmp_path / "ct", change=rename)
    probabilities = {"gutartig": 0.3, "bösartig": 0.7}
    prediction = predict(
        tmp_path / "ct",
        probabilities=probabilities,
        calibrated=probabilities,
        called="bösartig",
        plausible=("bösartig",),
        answer="bösartig",
    )
    path = write_one(tmp_path, prediction)
    assert dcmread(path).PatientName == name
    (group,) = groups_of(path)
    assert evaluations_of(group)["Answer"] == "bösartig"


def test_the_same_predictions_give_the_same_bytes(tmp_path, series):
    first = write_one(tmp_path / "1", predict(series)).read_bytes()
    assert write_one(tmp_path / "2", predict(series)).read_bytes() == first
    other = dcmread(write_one(tmp_path / "3", predict(series, answer="benign")))
    assert other.SOPInstanceUID != dcmread(tmp_path / "1/sr/0001.dcm").SOPInstanceUID
    assert str(tmp_path).encode() not in first


def test_every_class_has_a_probability_if_there_are_three(tmp_path, series):
    probabilities = {"cyst": 0.2, "benign": 0.3, "a very long name of a class" * 4: 0.5}
    prediction = predict(
        series,
        probabilities=probabilities,
        calibrated=probabilities,
        threshold=None,
        called=None,
        answer="cyst",
        plausible=("cyst",),
    )
    (group,) = groups_of(write_one(tmp_path, prediction))
    assert [found.value for found in group.get_measurements()] == [0.2, 0.2, 0.3, 0.3, 0.5, 0.5]
    assert evaluations_of(group)["Answer"] == "cyst"


def test_an_older_model_has_its_raw_probability_alone(tmp_path, series):
    prediction = predict(
        series, calibrated=None, threshold=None, called=None, plausible=None, answer="benign"
    )
    (group,) = groups_of(write_one(tmp_path, prediction))
    assert [found.value for found in group.get_measurements()] == [0.587655]
    assert "Image is like the training data" not in evaluations_of(group)


def test_a_series_that_is_missing_is_called_so(tmp_path):
    with pytest.raises(InputError, match="study: is missing, expected a DICOM series"):
        check_dicom([tmp_path / "study"])


def test_another_form_than_dicom_is_one_message_and_no_report(tmp_path, capfd):
    scan = tmp_path / "scan.nii.gz"
    scan.write_bytes(b"\x1f\x8b" + bytes(600))
    with pytest.raises(InputError, match=r"--sr: .*scan.nii.gz is not DICOM, expected"):
        check_dicom([scan])
    assert write_structured_reports(tmp_path, [predict(scan)], WHEN) == []
    assert "scan.nii.gz: gets no Structured Report" in "".join(capfd.readouterr())
    assert not (tmp_path / "sr").exists()


def test_a_series_that_cannot_have_a_report_does_not_stop_the_others(
    tmp_path, series, write_series, capfd
):
    def forget(made: Dataset, k: int) -> None:
        del made.FrameOfReferenceUID

    write_series(tmp_path / "other", change=forget)
    scan = tmp_path / "scan.nii.gz"
    scan.write_bytes(b"\x1f\x8b" + bytes(600))
    predictions = [predict(image) for image in (tmp_path / "other", scan, series)]
    written = write_structured_reports(tmp_path, predictions, WHEN)
    assert [path.name for path in written] == ["0001.dcm"]
    printed = "".join(capfd.readouterr())
    assert "other: has no FrameOfReferenceUID" in printed
    assert "scan.nii.gz: gets no Structured Report, because it is not DICOM" in printed
    for word in ("Loudvoice", "PID-77", SERIES):
        assert word not in printed


def test_a_real_series_gets_a_report(tmp_path):
    folder = SAMPLES / "dicomdirtests/98892001/CT5N"
    first = dcmread(next(folder.iterdir()))
    lesion = Lesion(folder, position=(200.0, 210.0, 2.0), frame="voxel")
    path = write_one(tmp_path, predict(folder, lesion=lesion))
    report = highdicom.sr.srread(path)
    assert report.PatientName == first.PatientName
    assert report.StudyInstanceUID == first.StudyInstanceUID


def test_all_elements_that_the_standard_requires_are_there(tmp_path, series):
    """The tables of PS3.3 that highdicom ships give the type of every element of a module."""
    report = dcmread(write_one(tmp_path, predict(series)))
    modules = get_iod_module_map()[get_sop_class_iod_map()[report.SOPClassUID]]
    checked = 0
    for module in modules:
        if module["usage"] != "M" or module["key"] == "sr-document-content":
            continue  # what the content needs depends on the value type of each item
        for element in get_module_attribute_map()[module["key"]]:
            if element["path"] or element["type"] not in ("1", "2"):
                continue
            checked += 1
            assert element["keyword"] in report, element["keyword"]
            if element["type"] == "1":
                assert report[element["keyword"]].value not in (None, "", []), element["keyword"]
    assert checked > 20


def test_pydicom_finds_no_invalid_value(tmp_path, series, monkeypatch):
    monkeypatch.setattr(pydicom.config.settings, "reading_validation_mode", pydicom.config.RAISE)
    report = dcmread(write_one(tmp_path, predict(series)))
    count = sum(1 for _ in report.iterall())
    assert count > 100


@pytest.mark.skipif(VALIDATOR is None, reason="needs dciodvfy of dicom3tools")
def test_dciodvfy_finds_no_error(tmp_path, series):
    path = write_one(tmp_path, predict(series), predict(series, answer="benign"))
    ended = subprocess.run([VALIDATOR, path], capture_output=True, text=True, check=False)
    assert "Error" not in ended.stderr, ended.stderr
