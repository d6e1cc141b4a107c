"""The lesions whose label for a task is known, and their scores."""

import numpy as np
import pandas as pd
import pytest

from graft.data.domain import Domain
from graft.evaluation.evaluated_domain import EvaluatedDomain
from graft.evaluation.task_cases import TaskCases
from graft.evaluation.tasks import task_lines
from graft.statistics.cases import Cases, gain
from tests.run_metrics import metrics_document

RATING = {"name": "rating", "kind": "ordinal", "levels": [1.0, 2.0, 3.0]}
VOLUME = {"name": "volume", "kind": "number", "mean": 2.0, "std": 2.0}
SHAPE = {"name": "shape", "kind": "category", "categories": ["oval", "round"]}
LABEL = {"name": "label", "kind": "category", "categories": ["benign", "malignant"]}


def source() -> EvaluatedDomain:
    """Four lesions of three patients in the test part, whose labels are partly unknown."""
    index = pd.DataFrame(
        {
            "sample": range(5),
            "patient": ["x", "a", "a", "b", "c"],
            "label": ["benign", "benign", "malignant", "malignant", "benign"],
        }
    )
    tasks = pd.DataFrame(
        {
            "rating": ["1", "1", "", "3", "2"],
            "volume": ["0", "1", "2", "3", ""],
            "shape": ["oval", "square", "oval", "round", ""],
        }
    )
    domain = Domain("lung", np.zeros((5, 1)), index, ["benign", "malignant"], {}, tasks=tasks)
    rows = {"train": np.array([0]), "test": np.arange(1, 5)}
    cases = Cases.of(index[1:], domain.classes, 10, np.random.default_rng(0))
    return EvaluatedDomain(domain, rows, {"test": cases})


def cases(column: dict) -> TaskCases:
    return TaskCases.of(source(), "test", column, 50, np.random.default_rng(1))


def test_only_lesions_with_a_known_label_count():
    found = cases(RATING)
    assert found.known.tolist() == [True, False, True, True]
    assert found.cases.labels.tolist() == [1, 3, 2]
    assert found.cases.draws.shape == (50, 3)
    assert (found.cases.draws.sum(1) == 3).all()
    # Concordance of 1, 3, 2 with 0.2, 0.8, 0.5: all pairs in order.
    predicted = np.array([[0.1, 0.1], [0.9, 0.9], [0.6, 0.2], [0.3, 0.2]])
    assert found.score(predicted).point == {"concordance": 1}
    assert found.score(-predicted).point == {"concordance": 0}


def test_numbers_are_scored_in_their_unit():
    found = cases(VOLUME)
    assert found.cases.labels.tolist() == [1, 2, 3]
    scored = found.score(np.array([[1.0], [2.0], [2.0], [9.0]])).point
    assert scored == pytest.approx({"r_squared": 0.5, "mean_absolute_error": 1 / 3})


@pytest.mark.parametrize("unit", [1e-9, 1e9])
def test_a_number_has_the_same_score_in_every_unit(unit):
    found = source()
    volumes = [str(float(cell) * unit) if cell else "" for cell in found.domain.tasks["volume"]]
    found.domain.tasks["volume"] = volumes
    column = VOLUME | {"mean": 2.0 * unit, "std": 2.0 * unit}
    scaled = TaskCases.of(found, "test", column, 50, np.random.default_rng(1))
    scored = scaled.score(np.array([[1.0], [2.0], [2.0], [9.0]]) * unit).point
    assert scored["r_squared"] == pytest.approx(0.5)
    assert scored["mean_absolute_error"] == pytest.approx(unit / 3)


def test_a_category_that_did_not_occur_in_training_is_unknown():
    found = cases(SHAPE)
    assert found.cases.labels.tolist() == [0, 1]
    probabilities = np.array([[0.5, 0.5], [0.7, 0.3], [0.4, 0.6], [0.5, 0.5]])
    assert found.score(probabilities).point == {"auroc": 1}


def test_the_classes_are_known_everywhere():
    found = cases(LABEL)
    assert found.cases.labels.tolist() == [0, 1, 1, 0]
    assert found.cases.draws.shape == (50, 3)


def test_a_gain_is_the_difference_of_any_score():
    found = cases(VOLUME)
    better = found.score(np.array([[1.0], [2.0], [3.0], [0.0]]))
    worse = found.score(np.array([[1.0], [2.0], [2.0], [0.0]]))
    assert gain(better, worse, 0.9, "r_squared")["value"] == pytest.approx(0.5)


def test_each_task_has_a_line():
    lines = list(task_lines(metrics_document(["benign", "malignant"])))
    assert lines[0].startswith("lung: the tasks of the pretrained network, their losses weighted")
    assert lines[1].startswith("  label, test (60): auroc 0.700 [0.580, 0.820], gain +0.020 [")
    assert lines[3] == "  volume, test (60): r_squared 0.700 [0.580, 0.820]"
    assert list(task_lines({"tasks": None})) == []
