"""The clinical covariates of a manifest, cell by cell."""

from pathlib import Path

import pytest

from graft.common.files import InputError
from graft.ingest.covariates import read_covariates

HEAD = "patient,image,label,stage\n"


def write(folder: Path, *cells: str) -> Path:
    rows = "".join(f"ann,a.png,benign,{cell}\n" for cell in cells)
    (folder / "manifest.csv").write_text(HEAD + rows)
    return folder


def test_a_category_may_be_a_sign_or_begin_with_less_than(tmp_path):
    folder = write(tmp_path, "+", "-", "<65", "-1", "")
    table = read_covariates(folder, {"stage": "category"})
    assert list(table["stage"]) == ["+", "-", "<65", "-1", ""]


def test_free_text_of_a_small_cohort_is_no_category(tmp_path):
    path = tmp_path / "manifest.csv"
    notes = [f"p{k},a.png,benign,saw Dr {k}\n" for k in range(10)]
    path.write_text(HEAD + "".join(notes[:5]))
    read_covariates(tmp_path, {"stage": "category"})
    unknown = "p99,a.png,benign,\n"  # says nothing about the others
    path.write_text(HEAD + "".join(2 * notes) + 20 * unknown)
    with pytest.raises(InputError, match="category stage has 10 different values in 10 patients, "):
        read_covariates(tmp_path, {"stage": "category"})
    others = [f"q{k},a.png,benign,saw Dr {k}\n" for k in range(10)]
    path.write_text(HEAD + "".join(notes + others))
    assert len(read_covariates(tmp_path, {"stage": "category"})) == 20


@pytest.mark.parametrize("cell", ["=1+1", "@SUM(A1)", "+cmd", "-cmd"])
def test_a_category_that_a_spreadsheet_would_run_is_named(tmp_path, cell):
    with pytest.raises(InputError, match="manifest.csv:3: stage is .* begin like a formula"):
        read_covariates(write(tmp_path, "T1", cell), {"stage": "category"})
