"""Tables of errors against numbers worked out by hand."""

from dataclasses import replace

import pandas as pd
import pytest

from graft.report import errors

CASES = [
    ("1", "malignant", 0.9),
    ("2", "malignant", 0.3),
    ("3", "benign", 0.31),
    ("4", "benign", 0.1),
    ("5", "benign", 0.8),
]  # sample, actual class, probability of malignant


@pytest.fixture
def run(read_run):
    """A run whose chosen model has predicted CASES."""
    table = pd.DataFrame(CASES, columns=["sample", "label", "p_malignant"])
    table["p_benign"] = 1 - table["p_malignant"]
    table = table.assign(part="test", model="bagging", predicted="benign")
    return replace(read_run(external=False), predictions=table)


def test_confusion_at_an_operating_point_is_counted_from_the_predictions(run):
    _, table, _ = errors.confusions(run)  # the operating point's threshold is 0.31
    assert "sensitivity of 0.9" in table.caption
    rows = [[cell.replace("\N{NO-BREAK SPACE}", " ") for cell in row] for row in table.rows]
    assert rows == [
        ["benign", "1 (33 %)", "2 (67 %)"],
        ["malignant", "1 (50 %)", "1 (50 %)"],
    ]


def test_the_hardest_cases_are_those_whose_class_got_the_lowest_probability(run):
    table = errors.hardest(run, "test")
    samples = [row[0] for row in table.rows]
    assert samples == ["5", "2", "3", "1", "4"]  # 0.2, 0.3, 0.69, 0.9, 0.9
    assert table.rows[0] == ["5", "benign", "benign", "0.200"]
