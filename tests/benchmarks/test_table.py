"""The table of comparisons: rows are replaced, sorted and kept, and the document appears whole."""

from pathlib import Path

import pytest

from benchmarks.comparison import Comparison
from benchmarks.table import BEGIN, END, comparison_row, note_row, update_table
from graft.common.files import InputError

ORDER = ("augment", "members", "growth")
STEP = Comparison("step of 5 | members", "ms", 142.0, "vmap", 177.0, least_ratio=2, note="CPU")
EMPTY = f"# Title\n\n{BEGIN}\n{END}\n\nText.\n"


@pytest.fixture
def document(tmp_path) -> Path:
    path = tmp_path / "benchmarks.md"
    path.write_text(EMPTY)
    return path


def test_a_row_has_all_of_a_comparison(document):
    update_table(document, "members", [comparison_row("members", STEP, "Monday; two cores")], ORDER)
    assert document.read_text() == (
        f"# Title\n\n{BEGIN}\n\n"
        "| benchmark | measured | graft | instead of graft | ratio | aim | note | run |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- |\n"
        "| members | step of 5 \\| members | 142 ms | vmap: 177 ms | 1.25 "
        "| ratio at least 2: missed | CPU | 1 |\n\n"
        f"1. Monday; two cores\n\n{END}\n\nText.\n"
    )


def test_one_benchmark_is_replaced_and_the_others_keep_their_rows_and_runs(document):
    update_table(document, "members", [comparison_row("members", STEP, "Monday")], ORDER)
    update_table(document, "growth", [note_row("growth", "failed", "Monday")], ORDER)
    update_table(document, "augment", [note_row("augment", "first", "Monday")], ORDER)
    augmented = [note_row("augment", note, "Tuesday") for note in ("second", "third")]
    update_table(document, "augment", augmented, ORDER)
    lines = document.read_text().splitlines()
    rows = [line for line in lines if line.startswith("|")][2:]
    assert [(row.split(" | ")[0][2:], row.split(" | ")[-2:]) for row in rows] == [
        ("augment", ["second", "1 |"]),
        ("augment", ["third", "1 |"]),
        ("members", ["CPU", "2 |"]),
        ("growth", ["failed", "2 |"]),
    ]
    assert "step of 5 \\| members" in rows[2]
    assert lines[lines.index(rows[-1]) + 2 :][:2] == ["1. Tuesday", "2. Monday"]
    assert lines[-1] == "Text."


def test_rows_of_benchmarks_that_no_longer_exist_are_deleted(document):
    update_table(document, "members", [note_row("members", "old", "Monday")], ORDER)
    update_table(document, "growth", [note_row("growth", "new", "Tuesday")], ["growth"])
    text = document.read_text()
    assert "old" not in text
    assert "Monday" not in text
    assert "| new | 1 |" in text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("# Title\n", f"has 0 times '{BEGIN}', expected it once"),
        (EMPTY + BEGIN, f"has 2 times '{BEGIN}', expected it once"),
        (BEGIN, f"has 0 times '{END}', expected it once"),
        (f"{END}\n{BEGIN}\n", f"has '{END}' before '{BEGIN}', expected it after that"),
        (f"{BEGIN}\nText.\n{END}", "has the line 'Text.', expected a table and a list of its runs"),
        (f"{BEGIN}\n| a |\n| --- |\n| b |\n{END}", "has the row '| b |', expected 8 cells"),
    ],
)
def test_a_broken_document_is_refused_and_left_as_it_is(document, content, message):
    document.write_text(content)
    with pytest.raises(InputError) as caught:
        update_table(document, "growth", [note_row("growth", "new", "Tuesday")], ORDER)
    assert message in str(caught.value)
    assert document.read_text() == content
    assert list(document.parent.iterdir()) == [document]
