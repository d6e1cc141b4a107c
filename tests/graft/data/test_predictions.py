from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from graft.common.files import InputError
from graft.data.predictions import (
    probability_columns,
    probability_table,
    read_predictions,
    write_table,
)

CLASSES = ["benign", "malignant"]


@pytest.fixture
def path(tmp_path) -> Path:
    """A table of three predictions, with an arm that looks like a missing value."""
    malignant = np.array([1 / 3, 0.1 + 0.2, 1e-9])
    probabilities = np.stack([1 - malignant, malignant], 1)
    table = probability_table(probabilities, CLASSES)
    table.insert(0, "share", [0.1, 1 / 3, 1.0])
    table.insert(0, "arm", ["scratch", "NA", "007"])
    file = tmp_path / "predictions.csv"
    write_table(file, table)
    return file


def read_table(path: Path) -> pd.DataFrame:
    return read_predictions(path, ("arm", "share"), CLASSES, text=("arm",))


def test_a_written_table_is_read_without_loss(path):
    found = read_table(path)
    assert list(found) == ["arm", "share", *probability_columns(CLASSES)]
    assert found["arm"].tolist() == ["scratch", "NA", "007"]
    assert found["share"].tolist() == [0.1, 1 / 3, 1.0]
    assert found["p_malignant"].tolist() == [0.33333333, 0.3, 0.0]  # DECIMALS of a probability


def test_reading_and_writing_again_gives_the_same_bytes(path, tmp_path):
    again = tmp_path / "again.csv"
    write_table(again, read_table(path))
    assert again.read_bytes() == path.read_bytes()


def test_a_table_without_rows_can_be_read(tmp_path):
    path = tmp_path / "empty.csv"
    write_table(path, probability_table(np.zeros((0, 2)), CLASSES))
    assert read_predictions(path, (), CLASSES).empty


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("p_benign", "p_healthy", "expected the columns arm, share, p_benign, p_malignant"),
        ("0.33333333", "many", "cannot be read"),
        (",0.33333333\n", ",nan\n", "has a cell in p_malignant that is no finite number"),
        ("0.66666667,0.33333333", "1.5,-0.5", "has a probability outside"),
        (
            ",0.33333333\n",
            ",0.33333433\n",
            "row 0 differ from 1 in sum by 1e-06, expected a sum of 1",
        ),
        ("1.0,1.0,0.0", "inf,1.0,0.0", "has a cell in share that is no finite number"),
        (",0.33333333\n", ",inf\n", "has a cell in p_malignant that is no finite number"),
    ],
)
def test_an_invalid_table_is_refused(path, before, after, message):
    path.write_text(path.read_text().replace(before, after))
    with pytest.raises(InputError, match=message):
        read_table(path)


def test_a_missing_table_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_predictions(tmp_path / "predictions.csv", (), CLASSES)
