"""The columns scanner, sex and age of a manifest, and what of them is kept."""

import csv
from pathlib import Path

import pytest

from graft.common.files import InputError
from graft.ingest.subgroups import read_subgroup_columns


def write_manifest(folder: Path, **columns: list[str]) -> Path:
    """Write a manifest with one row per patient."""
    with (folder / "manifest.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("patient", "image", "label", *columns))
        rows = zip(*columns.values(), strict=True)
        for i, cells in enumerate(rows):
            table.writerow((f"p{i}", f"{i}.nii", "benign", *cells))
    return folder


def read_column(folder: Path, column: str, cells: list[str]) -> list[str]:
    """What is kept of a column of a manifest."""
    groups = read_subgroup_columns(write_manifest(folder, **{column: cells}))
    return groups[column].tolist()


@pytest.mark.parametrize(
    ("age", "band"),
    [
        ("0", "0 to 9"),
        ("9.9", "0 to 9"),
        ("10", "10 to 19"),
        ("71", "70 to 79"),
        ("89.5", "80 to 89"),
        ("90", "90 and above"),
        ("104", "90 and above"),
        ("", ""),
    ],
)
def test_ages_become_bands(tmp_path, age, band):
    assert read_column(tmp_path, "age", [age]) == [band]


@pytest.mark.parametrize("age", ["old", "071Y", "-1", "131", "nan", "1950-03-02"])
def test_an_invalid_age_is_refused(tmp_path, age):
    folder = write_manifest(tmp_path, age=["60", age])
    message = rf"manifest.csv:3: age is '{age}', expected years from 0 to 130, or nothing"
    with pytest.raises(InputError, match=message):
        read_subgroup_columns(folder)


def test_sexes_become_f_m_and_other(tmp_path):
    given = ["F", "female", "m", "Male", "O", "Jane Doe", ""]
    expected = ["F", "F", "M", "M", "other", "other", ""]
    assert read_column(tmp_path, "sex", given) == expected


def test_a_scanner_of_at_least_three_patients_is_kept(tmp_path):
    common = ["Aquilion ONE"] * 3 + ["LightSpeed VCT 64 2.1"] * 3
    found = read_column(tmp_path, "scanner", [*common, "Jane Doe", "Jane Doe", ""])
    assert found == [*common, "other", "other", ""]


def test_lesions_of_one_patient_do_not_make_a_scanner_common(tmp_path):
    path = write_manifest(tmp_path, scanner=["Jane Doe"] * 3) / "manifest.csv"
    text = path.read_text()
    for patient in ("p1,", "p2,"):
        text = text.replace(patient, "p0,")
    path.write_text(text)
    assert read_subgroup_columns(tmp_path)["scanner"].tolist() == ["other"] * 3


@pytest.mark.parametrize(
    "text", ["2019-05-03", "SN 123456", "scanned on 3.5.2019", "a" * 41, "Müller", "see: note"]
)
def test_dates_numbers_and_free_text_become_other(tmp_path, text):
    assert read_column(tmp_path, "scanner", [text] * 5) == ["other"] * 5


def test_a_manifest_without_such_columns_has_no_groups(tmp_path):
    folder = write_manifest(tmp_path, ward=["a", "b"])
    assert read_subgroup_columns(folder) is None


def test_the_order_of_the_columns_is_fixed(tmp_path):
    folder = write_manifest(tmp_path, age=["60"], sex=["F"], scanner=["x"])
    assert list(read_subgroup_columns(folder)) == ["scanner", "sex", "age"]


def test_a_manifest_without_rows_has_no_groups(tmp_path):
    (tmp_path / "manifest.csv").write_text("patient,image,label,sex\n")
    assert read_subgroup_columns(tmp_path) is None
