import numpy as np
import pandas as pd
import pytest

from graft.common.files import InputError
from graft.data.repeats import check_repeats, pool_for_cross_validation


@pytest.mark.parametrize(("given", "pool"), [("", 10), ("test", 6)])
def test_cross_validation_excludes_the_external_site_and_a_given_test_part(given, pool):
    parts = {
        "train": np.arange(4),
        "validation": np.arange(4, 6),
        "test": np.arange(6, 10),
        "external": np.array([10, 11]),
    }
    patients = [f"p{number}" for number in range(12)]
    index = pd.DataFrame({"patient": patients, "split": given})
    rows, validation = pool_for_cross_validation(parts, index)
    assert rows.tolist() == list(range(pool))
    assert validation == pytest.approx(2 / 6)
    del parts["validation"]
    rows, validation = pool_for_cross_validation(parts, index)
    assert rows.tolist() == [row for row in range(pool) if row not in (4, 5)]
    assert validation == 0


@pytest.mark.parametrize(
    ("share", "folds", "message"),
    [
        (0.25, 0, "learning_curve.shares: got 0.25, which is 1 of the target's 4 patients"),
        (0.5, 7, "cross_validation.folds: got 7, expected at most 6"),
    ],
)
def test_shares_and_folds_without_patients_are_refused(share, folds, message):
    patients = [f"p{number}" for number in range(6)]
    index = pd.DataFrame({"patient": patients, "label": ["benign", "malignant"] * 3})
    labelled = np.arange(4)
    check_repeats(index, labelled, [0.5, 1.0], 6)
    with pytest.raises(InputError, match=message):
        check_repeats(index, labelled, [share], folds)
