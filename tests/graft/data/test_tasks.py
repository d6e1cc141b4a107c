"""Further labels of lesions as numbers."""

import numpy as np
import pandas as pd
import pytest

from graft.common.files import InputError
from graft.data.tasks import encode_tasks, fit_tasks

KINDS = {"rating": "ordinal", "shape": "category", "size": "number"}
TRAIN = pd.DataFrame(
    {
        "rating": ["5", "1", "", "2"],
        "shape": ["round", "", "oval", "round"],
        "size": ["1", "3", "", "5.0"],
    }
)


def test_the_encoding_is_that_of_the_training_part():
    rating, shape, size = fit_tasks(TRAIN, KINDS, "lung")
    assert rating == {"name": "rating", "kind": "ordinal", "levels": [1, 2, 5]}
    assert shape == {"name": "shape", "kind": "category", "categories": ["oval", "round"]}
    assert size["mean"] == 3
    assert size["std"] == pytest.approx(np.sqrt(8 / 3))


def test_labels_become_numbers_and_unknown_ones_nan():
    columns = fit_tasks(TRAIN, KINDS, "lung")
    table = pd.DataFrame(
        {"rating": ["4", ""], "shape": ["round", "square"], "size": ["", "3"]}
    )  # `square` did not occur in training
    encoded = encode_tasks(table, columns)
    assert np.array_equal(encoded, [[4, 1, np.nan], [np.nan, np.nan, 0]], equal_nan=True)


@pytest.mark.parametrize(
    ("cells", "found"),
    [(["", ""], "no value"), (["2", "2.0"], "only the value 2.0"), (["", "2"], "only the value 2")],
)
def test_a_task_without_two_values_is_named(cells, found):
    with pytest.raises(InputError, match=f"lung: the task 'rating' has {found}.* in the 2 lesions"):
        fit_tasks(pd.DataFrame({"rating": cells}), {"rating": "ordinal"}, "lung")


def test_a_number_that_cannot_be_read_is_named():
    columns = fit_tasks(TRAIN, KINDS, "lung")
    with pytest.raises(InputError, match="tasks: size is 'large', expected a number"):
        encode_tasks(TRAIN.assign(size="large"), columns)
