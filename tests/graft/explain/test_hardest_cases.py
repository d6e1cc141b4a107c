import numpy as np
import pandas as pd
import pytest

from graft.common.files import InputError
from graft.explain.hardest_cases import ExplainedCases, find_hardest_cases

CLASSES = ["benign", "malignant"]


def predictions(*rows: tuple) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["sample", "part", "label", "p_malignant"])
    called = np.where(table["p_malignant"] >= 0.5, "malignant", "benign")
    return table.assign(p_benign=1 - table["p_malignant"], predicted=called, model="bagging")


TABLE = predictions(
    (4, "external", "benign", 0.99),
    (3, "test", "malignant", 0.3),
    (5, "test", "benign", 0.9),
    (1, "test", "benign", 0.1),
    (0, "test", "malignant", 0.1),
)


def test_the_hardest_cases_come_first_and_those_of_the_test_part_before_the_others():
    others = TABLE.assign(model="scratch", p_malignant=0.5, p_benign=0.5)
    found = find_hardest_cases(pd.concat([others, TABLE]), "bagging", CLASSES, 9)
    # The samples 0 and 5 are equally hard: their true class has the probability 0.1.
    assert found["sample"].tolist() == [0, 5, 3, 1, 4]
    assert found["p"].tolist() == [0.1, 0.9, 0.3, 0.1, 0.99]
    assert find_hardest_cases(TABLE, "bagging", CLASSES, 0).empty


@pytest.mark.parametrize(
    "table, message",
    (
        (TABLE, "row of the model boosting"),
        (TABLE.assign(model="boosting").drop(columns="p_benign"), "column p_benign"),
    ),
)
def test_a_table_without_the_model_or_a_class_raises_an_error(table, message):
    with pytest.raises(InputError, match=f"predictions.csv: has no {message}"):
        find_hardest_cases(table, "boosting", CLASSES, 3)


def test_a_caption_has_the_label_and_the_prediction_of_a_case():
    cases = find_hardest_cases(TABLE, "bagging", CLASSES, 1)
    caption = ExplainedCases(cases, {}, None, "malignant").caption(0)
    assert caption == (
        "sample 0, test: malignant, called benign, p(malignant) = 0.10\n"
        "violet: for malignant, orange: against"
    )
