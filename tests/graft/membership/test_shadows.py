"""Shadow models from tables of a cross-validation, as the stage writes them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from graft.data.domain import Domain
from graft.data.predictions import probability_table
from graft.data.sealed_tables import write_sealed_table
from graft.membership.shadows import read_shadows

CLASSES = ["benign", "malignant"]
PARTS = {"train": np.array([0, 1]), "test": np.array([2, 3]), "external": np.array([4])}
TABLE = Path("cross_validation.csv")
EMPTY = ["repeat", "fold", "arm", "source", "strategy", "lambda", "part", "sample"]


@pytest.fixture
def domain(tmp_path, monkeypatch) -> Domain:
    monkeypatch.chdir(tmp_path)
    index = pd.DataFrame(
        {"patient": list("abcde"), "label": [*CLASSES, *CLASSES, "benign"], "split": ""}
    )
    return Domain("liver", np.zeros((5, 1, 2, 2)), index, CLASSES, {})


def write_folds(candidates: list[tuple[str, str, float]], repeats: int = 2) -> None:
    """Two folds; the probability of the disease tells the repeat, the arm and the lesion."""
    tables = []
    for repeat in range(1, repeats + 1):
        for fold, tested in ((1, [0, 2]), (2, [1, 3])):
            for number, arm in enumerate([("", "", 0.0), *candidates]):
                disease = [0.1 * repeat + 0.01 * number + 0.001 * row for row in tested]
                made = probability_table(np.array([[1 - p, p] for p in disease]), CLASSES)
                name = "transfer" if arm[0] else "scratch"
                values = [repeat, fold, name, *arm, "test", tested]
                for place, (column, value) in enumerate(zip(EMPTY, values, strict=True)):
                    made.insert(place, column, value)
                tables.append(made)
                if len(candidates) > 1 and arm[0]:
                    outside = [row for row in range(4) if row not in tested]
                    tables.append(made.assign(part="validation", sample=outside))
    write_sealed_table(TABLE, pd.concat(tables))


def test_every_repeat_is_a_shadow_model_of_all_lesions_in_the_folds(domain):
    write_folds([("lung", "l2-sp", 0.01)])
    found = read_shadows(TABLE, domain, PARTS, "l2-sp", 0.01)
    assert found["scratch"].shape == found["transfer"].shape == (2, 5, 2)
    expected = np.array([[0.1, 0.101, 0.102, 0.103], [0.2, 0.201, 0.202, 0.203]])
    assert found["scratch"][:, :4, 1] == pytest.approx(expected)
    assert found["transfer"][:, :4, 1] == pytest.approx(expected + 0.01)
    assert np.isnan(found["scratch"][:, 4]).all()  # the external site


def test_the_shadow_models_are_trained_as_the_attacked_model(domain):
    write_folds([("lung", "l2-sp", 0.1), ("lung", "l2-sp", 0.01), ("moon", "l2-sp", 0.01)])
    found = read_shadows(TABLE, domain, PARTS, "l2-sp", 0.01)
    assert found["transfer"][0, 0, 1] == pytest.approx(0.12)
    assert set(read_shadows(TABLE, domain, PARTS, "l2-sp", 0.5)) == {"scratch"}


def test_without_a_cross_validation_there_are_none(domain):
    write_sealed_table(TABLE, pd.DataFrame(columns=[*EMPTY, "p_benign", "p_malignant"]))
    assert read_shadows(TABLE, domain, PARTS, "l2-sp", 0.01) == {}


def test_a_test_part_given_by_the_data_has_no_shadow_models(domain):
    write_folds([("lung", "l2-sp", 0.01)])
    table = pd.read_csv(TABLE, comment="#")
    train = table[table["sample"].isin([0, 1])]
    write_sealed_table(
        TABLE,
        train.assign(source=train["source"].fillna(""), strategy=train["strategy"].fillna("")),
    )
    domain.index["split"] = "given"
    found = read_shadows(TABLE, domain, PARTS, "l2-sp", 0.01)
    assert np.isnan(found["scratch"][:, 2:]).all()
