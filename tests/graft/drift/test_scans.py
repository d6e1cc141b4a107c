"""Scans are read from files of predictions: one lesion of each, nothing twice, one model."""

import json
import re

import pytest

from graft.common.files import InputError, write_json
from graft.drift.scans import read_scans

MODEL = "a" * 64


def row(scan: str, mean: float, **others: object) -> dict:
    usual = {
        "scan": scan,
        "row": None,
        "lesion": {"x": mean, "y": 0, "z": 0, "frame": "ras"},
        "calibrated": {"benign": 0.25, "malignant": 0.75},
        "refused": [],
        "measurements": {"intensity_mean": mean, "spacing_mm": None},
        "model": MODEL,
    }
    return {**usual, **others}


def write(path, *rows: dict) -> None:
    write_json(path, {"predictions": list(rows)})


def test_one_lesion_stands_for_its_scan_in_any_order(tmp_path):
    lesions = [row("one", mean) for mean in (1.0, 2.0, 3.0)]
    other = row("two", 9.0, refused=[{"check": "spacing", "text": "."}], calibrated=None)
    write(tmp_path / "a.json", *lesions, other)
    write(tmp_path / "b.json", *reversed(lesions), other)
    scans = read_scans([tmp_path / "a.json"], MODEL)
    assert scans == read_scans([tmp_path / "b.json"], MODEL)
    assert [scan.values.keys() for scan in scans] == [
        {"intensity_mean", "probability"},
        {"intensity_mean"},
    ]
    assert scans[0].values["probability"] == 0.75
    assert scans[0].values["intensity_mean"] in (1.0, 2.0, 3.0)
    assert [scan.is_refused for scan in scans] == [False, True]


def test_each_lesion_is_chosen_for_some_scan(tmp_path):
    lesions = []
    for scan in range(30):
        lesions += [row(str(scan), mean) for mean in (1.0, 2.0, 3.0)]
    write(tmp_path / "a.json", *lesions)
    scans = read_scans([tmp_path / "a.json"], MODEL)
    assert len(scans) == 30
    assert {scan.values["intensity_mean"] for scan in scans} == {1.0, 2.0, 3.0}


def test_rows_of_an_array_are_scans_and_nights_may_repeat_names(tmp_path):
    write(tmp_path / "a.json", row("data.npy", 1.0, row="0"), row("data.npy", 2.0, row="1"))
    write(tmp_path / "b.json", row("data.npy", 3.0, row="0"))
    scans = read_scans([tmp_path / "a.json", tmp_path / "b.json"], MODEL)
    assert [scan.values["intensity_mean"] for scan in scans] == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("is_copy", [False, True])
def test_a_night_counts_once(tmp_path, is_copy):
    path = tmp_path / "a.json"
    write(path, row("one", 1.0))
    other = tmp_path / "b.json" if is_copy else path
    other.write_bytes(path.read_bytes())
    with pytest.raises(InputError, match=r"has the content of .*a\.json, expected each night once"):
        read_scans([path, other], MODEL)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"predictions": [', "cannot be read as JSON"),
        ("[]", "contains a list, expected a JSON object"),
        ("{}", "'predictions' is a required property; expected the predictions.json of `graft"),
        ('{"predictions": [{}]}', r"\$\.predictions\[0\]: 'scan' is a required property"),
        (json.dumps({"predictions": [row("a", 1.0, model="b" * 64)]}), "expected 'aaaaaaaaaaaa'"),
        (json.dumps({"predictions": [row("a", "much")]}), "'much' is not of type"),
        (json.dumps({"predictions": [row("a", float("nan"))]}), "NaN is no number of JSON"),
        (json.dumps({"predictions": [row("a", 1.0, calibrated={"a": 2, "b": 0})]}), "maximum of 1"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(tmp_path, content, message):
    path = tmp_path / "predictions.json"
    path.write_text(content)
    with pytest.raises(InputError) as found:
        read_scans([path], MODEL)
    assert str(found.value).startswith(str(path))
    assert re.search(message, str(found.value))
    assert "\n" not in str(found.value)
