"""Covariates and tasks that give the label away."""

import numpy as np
import pandas as pd
import pytest

from graft.common.files import InputError
from graft.data.domain import Domain
from graft.leakage.columns import check_columns, separation, share_with_label_of_others

COUNT = 60
LABELS = np.where(np.arange(COUNT) % 2, "malignant", "benign")
RANDOM = np.random.default_rng(0)
NOISE = RANDOM.integers(1, 4, COUNT).astype(str)


def domain(
    covariates: dict | None = None,
    tasks: dict | None = None,
    name: str = "liver",
    patients: np.ndarray | None = None,
) -> Domain:
    """A domain with these columns, each with its kind and cells."""
    index = pd.DataFrame(
        {"patient": np.arange(COUNT) if patients is None else patients, "label": LABELS}
    )
    tables = []
    for columns in (covariates or {}, tasks or {}):
        kinds = {column: kind for column, (kind, _) in columns.items()}
        cells = {column: np.asarray(cells, str) for column, (_, cells) in columns.items()}
        tables += [kinds, pd.DataFrame(cells) if cells else None]
    kinds, table, task_kinds, task_table = tables
    classes = ["benign", "malignant"]
    return Domain(name, np.zeros(0), index, classes, {}, kinds, table, task_kinds, task_table)


def test_columns_that_give_nothing_away_pass():
    made = domain({"ward": ("category", NOISE)}, {"rating": ("ordinal", NOISE)})
    (row,) = check_columns([made])
    assert row["looked_at"] == "1 covariate, 1 task"
    assert row["found"] == "2 columns without a near copy of the label"


def test_no_columns_pass():
    (row,) = check_columns([domain()])
    assert row["found"] == "nothing that could give the label away"


@pytest.mark.parametrize("key", ["covariates", "tasks"])
@pytest.mark.parametrize(
    ("kind", "cells", "message"),
    [
        ("category", np.where(LABELS == "benign", "cyst", "tumour"), "100.0% of the lesions have"),
        ("ordinal", np.where(LABELS == "benign", NOISE, "4"), "100.0% of the lesions have"),
        ("number", np.where(LABELS == "benign", 1, 2) + RANDOM.random(COUNT) / 2, "separates ben"),
        ("number", np.where(LABELS == "benign", 9, 2) + RANDOM.random(COUNT) / 2, "separates ben"),
    ],
)
def test_a_copy_of_the_label_is_refused(key, kind, cells, message):
    made = domain(**{key: {"finding": (kind, cells)}})
    with pytest.raises(InputError, match=f"liver.{key}.finding: .*{message}.*gives the label away"):
        check_columns([made])


def test_a_covariate_known_in_one_class_only_is_refused():
    cells = np.where(LABELS == "benign", "", RANDOM.random(COUNT).astype(str))
    with pytest.raises(InputError, match="covariates.dose: whether it is known tells the label"):
        check_columns([domain({"dose": ("number", cells)})])
    (row,) = check_columns([domain(tasks={"dose": ("number", cells)})])  # no model reads a task
    assert row["found"].endswith("not known in 10 patients of each class: dose")


def test_a_strong_but_imperfect_column_passes():
    cells = np.where(LABELS == "benign", "cyst", "tumour")
    cells[:4] = "cyst"
    (row,) = check_columns([domain({"biopsy": ("category", cells)})])
    assert row["found"] == "1 column without a near copy of the label"


def test_the_number_of_a_patient_is_no_copy_of_the_label():
    patients = np.repeat(np.arange(COUNT // 2), 2)
    labels = LABELS[np.argsort(LABELS)]  # both lesions of a patient have one class
    numbers = patients.astype(str)
    assert share_with_label_of_others(numbers, labels, patients) == 0
    assert share_with_label_of_others(numbers, labels, np.arange(COUNT)) == 1


def test_a_rating_that_is_a_task_elsewhere_is_no_input():
    source = domain(tasks={"Spiculation": ("ordinal", NOISE)}, name="lung")
    target = domain({"spiculation": ("number", NOISE)})
    with pytest.raises(
        InputError,
        match="liver.covariates.spiculation: is also domains.lung.tasks.Spiculation, expected",
    ):
        check_columns([source, target])


def test_separation_is_auroc_in_the_better_direction():
    numbers = np.array([1.0, 2, 2, 3])
    positive = np.array([False, True, False, True])
    assert separation(numbers, positive) == 3.5 / 4
    assert separation(-numbers, positive) == 3.5 / 4
