"""The columns scanner, sex and age of a manifest: what is kept of them, and what never passes."""

import csv
from pathlib import Path

import pytest

from graft.common.files import InputError
from graft.ingest.subgroups import read_subgroup_columns


def lay_out(folder: Path, **columns: list[str]) -> Path:
    """A manifest with one row per patient."""
    with (folder / "manifest.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("patient", "image", "label", *columns))
        table.writerows(
            (f"p{i}", f"{i}.nii", "benign", *cells)
            for i, cells in enumerate(zip(*columns.values(), strict=True))
        )
    return folder


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
    assert read_subgroup_columns(lay_out(tmp_path, age=[age]))["age"].tolist() == [band]


@pytest.mark.parametrize("age", ("old", "071Y", "-1", "131", "nan", "1950-03-02"))
def test_what_is_no_age_is_one_line(tmp_path, age):
    with pytest.raises(
        InputError,
        match=rf"manifest.csv:3: age is '{age}', expected years from 0 to 130, or nothing",
    ):
        read_subgroup_columns(lay_out(tmp_path, age=["60", age]))


def test_sexes_are_f_m_and_other(tmp_path):
    given = ["F", "female", "m", "Male", "O", "Jane Doe", ""]
    assert read_subgroup_columns(lay_out(tmp_path, sex=given))["sex"].tolist() == [
        "F",
        "F",
        "M",
        "M",
        "other",
        "other",
        "",
    ]


def test_a_scanner_that_three_patients_share_is_kept(tmp_path):
    given = ["Aquilion ONE"] * 3 + ["LightSpeed VCT 64 2.1"] * 3 + ["Jane Doe"] * 2 + [""]
    found = read_subgroup_columns(lay_out(tmp_path, scanner=given))["scanner"].tolist()
    assert found == ["Aquilion ONE"] * 3 + ["LightSpeed VCT 64 2.1"] * 3 + ["other"] * 2 + [""]


def test_lesions_of_one_patient_do_not_make_a_scanner_common(tmp_path):
    path = lay_out(tmp_path, scanner=["Jane Doe"] * 3) / "manifest.csv"
    path.write_text(path.read_text().replace("p1,", "p0,").replace("p2,", "p0,"))
    assert read_subgroup_columns(tmp_path)["scanner"].tolist() == ["other"] * 3


@pytest.mark.parametrize(
    "text", ("2019-05-03", "SN 123456", "scanned on 3.5.2019", "a" * 41, "Müller", "see: note")
)
def test_dates_numbers_and_free_text_are_other(tmp_path, text):
    assert (
        read_subgroup_columns(lay_out(tmp_path, scanner=[text] * 5))["scanner"].tolist()
        == ["other"] * 5
    )


def test_without_such_columns_there_are_no_groups(tmp_path):
    assert read_subgroup_columns(lay_out(tmp_path, ward=["a", "b"])) is None


def test_columns_stand_in_one_order(tmp_path):
    assert list(read_subgroup_columns(lay_out(tmp_path, age=["60"], sex=["F"], scanner=["x"]))) == [
        "scanner",
        "sex",
        "age",
    ]


def test_a_manifest_without_rows_has_no_groups(tmp_path):
    (tmp_path / "manifest.csv").write_text("patient,image,label,sex\n")
    assert read_subgroup_columns(tmp_path) is None
