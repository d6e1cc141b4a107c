from dataclasses import replace

import numpy as np

from graft.strategies.inner_folds import inner_folds, inner_tasks
from tests.squares import task


def test_patients_are_dealt_by_class_and_name_to_five_folds():
    patients = np.array(["b", "a", "c", "d", "e", "f", "a"])
    labels = np.array([0, 0, 1, 0, 1, 0, 1])  # a is malignant by the second lesion
    # In order: benign b, d, f, then malignant a, c, e.
    assert inner_folds(labels, patients).tolist() == [0, 3, 4, 1, 0, 2, 3]


def test_no_patient_is_in_a_fold_and_outside_of_it():
    whole = task(12)
    whole = replace(whole, train=replace(whole.train, patients=np.arange(12) % 7))
    tested = []
    for inner, held_out in inner_tasks(whole):
        assert not set(inner.train.patients) & set(held_out.patients)
        assert len(inner.train) + len(held_out) == 12
        tested += held_out.patients.tolist()
    assert sorted(tested) == sorted(whole.train.patients)


def test_one_patient_has_no_inner_fold():
    whole = task(12)
    whole = replace(whole, train=replace(whole.train, patients=np.zeros(12, int)))
    assert not list(inner_tasks(whole))
