"""Further label columns of a manifest and beside arrays, cell by cell."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from graft.common.files import InputError
from graft.data.domain import Domain, write_domain
from graft.grids.grid import Grid
from graft.ingest.tasks import read_tasks
from tests.processed import edit_table
from tests.raw import read_domain

GRID = Grid((4, 4), (1.0, 1.0), (0.0, 1.0))
CLASSES = ["benign", "malignant"]


def reverse(table: pd.DataFrame) -> None:
    table["sample"] = table["sample"].to_numpy()[::-1]


@pytest.fixture
def arrays(tmp_path) -> Path:
    """Six pictures with one further label each, the second one unknown."""
    np.save(tmp_path / "data.npy", np.random.default_rng(0).random((6, 4, 4)))
    np.save(tmp_path / "labels.npy", np.arange(6) % 2)
    (tmp_path / "tasks.csv").write_text('rating\n3\n""\n1\n2\n1\n2\n')
    return tmp_path


def test_arrays_keep_an_unknown_label_in_its_row(arrays, tmp_path):
    domain = read_domain(arrays, "lung", CLASSES, GRID, tasks={"rating": "ordinal"})
    assert list(domain.tasks["rating"]) == ["3", "", "1", "2", "1", "2"]
    write_domain(tmp_path / "written", domain)
    read = Domain.read(tmp_path / "written")
    assert read.task_kinds == {"rating": "ordinal"}
    assert read.tasks.equals(domain.tasks)


def test_a_changed_label_is_noticed(arrays, monkeypatch):
    monkeypatch.chdir(arrays)
    domain = read_domain(arrays, "lung", CLASSES, GRID, tasks={"rating": "ordinal"})
    write_domain(Path("data/processed/lung"), domain)
    table = Path("data/processed/lung/tasks.csv")
    table.write_text(table.read_text().replace("3", "4", 1))
    with pytest.raises(InputError, match=r"tasks.csv: was changed after it was written"):
        Domain.read(Path("data/processed/lung"))
    edit_table("lung", "tasks.csv", reverse)
    with pytest.raises(InputError, match=r"tasks.csv: `sample` does not number the rows"):
        Domain.read(Path("data/processed/lung"))


def test_a_domain_without_tasks_has_no_table(arrays, tmp_path):
    write_domain(tmp_path / "written", read_domain(arrays, "lung", CLASSES, GRID))
    assert not (tmp_path / "written/tasks.csv").exists()
    assert "tasks" not in (tmp_path / "written/domain.json").read_text()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("rating\n3\n1\n", "tasks.csv: has 2 rows and the images are 6, expected as many"),
        ("grade\n" + "1\n" * 6, "tasks.csv: has no column rating, expected the tasks of the para"),
        ("rating\n2.5\n", "tasks.csv:2: rating is '2.5', expected a rating, a whole number"),
        ("rating\nnan\n", "tasks.csv:2: rating is 'nan', expected a rating"),
        ("rating\n3\n1e9\n", "tasks.csv:3: rating is '1e9', expected a rating"),
        ("rating,rating\n3,3\n", "tasks.csv: has a column twice"),
        ("rating\n3,4\n", "tasks.csv:2: has 2 cells, expected 1"),
        ("rating\n" + "".join(f"{k}\n" for k in range(33)), "rating rating has 33 different value"),
    ],
)
def test_a_wrong_table_is_one_line(arrays, content, message):
    (arrays / "tasks.csv").write_text(content)
    with pytest.raises(InputError, match=message):
        read_domain(arrays, "lung", CLASSES, GRID, tasks={"rating": "ordinal"})


def test_free_text_beside_arrays_of_a_small_cohort_is_no_category(arrays):
    (arrays / "tasks.csv").write_text("note\n" + "".join(f"saw Dr {k}\n" for k in range(6)))
    with pytest.raises(InputError, match="category note has 6 different values in 6 patients, ex"):
        read_domain(arrays, "lung", CLASSES, GRID, tasks={"note": "category"})


def test_a_missing_table_is_named(arrays):
    (arrays / "tasks.csv").unlink()
    with pytest.raises(InputError, match="tasks.csv: is missing"):
        read_domain(arrays, "lung", CLASSES, GRID, tasks={"rating": "ordinal"})


def test_folders_of_pictures_have_no_columns(tmp_path):
    for label in CLASSES:
        (tmp_path / label).mkdir()
        (tmp_path / label / "a.png").write_bytes(b"")
    with pytest.raises(
        InputError, match=r"lung.tasks: got rating, expected \{\}, as .* nor a task"
    ):
        read_domain(tmp_path, "lung", CLASSES, GRID, tasks={"rating": "ordinal"})


def test_a_manifest_gives_categories_but_no_free_text(tmp_path):
    rows = [f"p{k},a.png,benign,finding {k}\n" for k in range(40)]
    path = tmp_path / "manifest.csv"
    path.write_text("patient,image,label,note\n" + "".join(rows))
    with pytest.raises(InputError, match="category note has 40 different values, .* or text?"):
        read_tasks(tmp_path, "manifest", {"note": "category"})
    path.write_text("patient,image,label,note\n" + "".join(rows[:3]))
    table = read_tasks(tmp_path, "manifest", {"note": "category"})
    assert list(table["note"]) == ["finding 0", "finding 1", "finding 2"]
