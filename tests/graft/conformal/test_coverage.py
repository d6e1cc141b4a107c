import numpy as np
import pandas as pd
import pytest

from graft.common.documents import check_schema
from graft.conformal import coverage
from graft.conformal.coverage import conformal_block, failures
from graft.conformal.quantiles import Conformal
from graft.statistics.cases import Cases

CLASSES = ["benign", "malignant"]
CONFORMAL = Conformal(0.1, {"benign": 0.4, "malignant": None}, {"benign": 9, "malignant": 2}, ())


@pytest.fixture
def cases() -> Cases:
    """Six lesions of four patients: four benign ones and two malignant ones."""
    rows = pd.DataFrame(
        {
            "sample": range(6),
            "patient": ["a", "a", "b", "c", "c", "d"],
            "label": ["benign", "benign", "benign", "malignant", "malignant", "benign"],
        }
    )
    return Cases.of(rows, CLASSES, 200, np.random.default_rng(0))


@pytest.fixture
def block(cases) -> dict:
    disease = np.array([0.1, 0.3, 0.6, 0.2, 0.9, 0.4])
    probabilities = {"test": np.stack([1 - disease, disease], axis=1)}
    return conformal_block(CONFORMAL, "bagging", probabilities, {"test": cases}, 0.95)


def test_the_block_counts_covered_lesions_by_class(block):
    check_schema(block, coverage.SCHEMA)
    found = block["test"]
    # Benign is kept where its score is at most 0.4. Malignant is always kept.
    assert found["coverage"]["benign"]["value"] == 0.75  # not the third lesion
    assert found["coverage"]["malignant"]["value"] == 1
    assert found["set_size"]["value"] == round(10 / 6, 6)
    assert found["not_one_class"]["value"] == round(4 / 6, 6)
    assert found["empty"]["value"] == 0
    assert block["external"] is None
    assert block["classes"] == {
        "benign": {"cases": 9, "quantile": 0.4},
        "malignant": {"cases": 2, "quantile": None},
    }


def test_intervals_are_over_patients(block):
    found = block["test"]["coverage"]["benign"]
    assert found["low"] < 0.75 < found["high"]


def test_a_class_that_is_missing_has_no_coverage(cases):
    rows = cases.rows.assign(label="benign")
    alone = Cases.of(rows, CLASSES, 200, np.random.default_rng(0))
    probabilities = {"test": np.full((6, 2), 0.5)}
    block = conformal_block(CONFORMAL, "bagging", probabilities, {"test": alone}, 0.95)
    check_schema(block, coverage.SCHEMA)
    assert block["test"]["coverage"]["malignant"]["value"] is None


def test_coverage_fails_where_its_interval_lies_below(block):
    assert list(failures(block)) == []
    low = {"value": 0.6, "low": 0.5, "high": 0.89, "left_out": 0}
    other = {**block["test"], "coverage": {"benign": low, "malignant": low | {"high": 0.9}}}
    assert list(failures(block | {"external": other})) == [("external", "benign", low)]
