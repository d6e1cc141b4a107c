import numpy as np
import pytest

from graft.common.files import InputError
from graft.networks.out_of_fold import FILE, read_out_of_fold, write_out_of_fold

CLASSES = ["benign", "malignant"]


def write(folder):
    probabilities = np.array([[0.25, 0.75], [1.0, 0.0], [0.123456789, 0.876543211]])
    write_out_of_fold(folder, np.array([9, 2, 4]), np.array([1, 2, 1]), probabilities, CLASSES)


def test_predictions_are_read_by_sample(tmp_path):
    write(tmp_path)
    table = read_out_of_fold(tmp_path, CLASSES)
    assert list(table.columns) == ["sample", "fold", "p_benign", "p_malignant"]
    assert table["sample"].tolist() == [2, 4, 9]
    assert table["fold"].tolist() == [2, 1, 1]
    assert table["p_malignant"].tolist() == [0.0, 0.87654321, 0.75]


def test_changed_predictions_are_refused(tmp_path):
    write(tmp_path)
    path = tmp_path / FILE
    path.write_text(path.read_text().replace("0.25,0.75", "0.75,0.25"))
    with pytest.raises(InputError, match="out_of_fold.csv: was changed after it was written"):
        read_out_of_fold(tmp_path, CLASSES)


def test_missing_predictions_are_refused(tmp_path):
    with pytest.raises(InputError, match=FILE):
        read_out_of_fold(tmp_path, CLASSES)
