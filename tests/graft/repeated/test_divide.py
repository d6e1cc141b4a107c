from itertools import pairwise

import pandas as pd
import pytest

from graft.common.files import InputError
from graft.common.seeds import generator
from graft.repeated.divide import divide_into_folds, nested_shares

CLASSES = ["benign", "malignant"]


def index(benign=20, malignant=9):
    """Patients of two lesions each; the malignant ones have a benign lesion too."""
    patients = [f"p{i:02}" for i in range(benign + malignant)]
    first = pd.DataFrame({"patient": patients, "label": "benign"})
    second = first.assign(label=["benign"] * benign + ["malignant"] * malignant)
    return pd.concat([first, second], ignore_index=True)


def patients(table, positions):
    """The patients of some rows of a table."""
    return set(table["patient"].iloc[positions])


def test_a_smaller_share_is_part_of_a_larger_one_and_draws_differ():
    table = index()
    shares = [0.05, 0.1, 0.3, 0.5, 1.0]
    patients_of_third_share = []
    for draw in range(2):
        rows_of_shares = nested_shares(table, CLASSES, shares, generator(0, "draw", draw))
        drawn = [patients(table, rows) for rows in rows_of_shares]
        for smaller, larger in pairwise(drawn):
            assert smaller < larger
        # round(share · 20) + round(share · 9), at least 1 of each class.
        assert [len(found) for found in drawn] == [2, 3, 9, 14, 29]
        assert sorted(rows_of_shares[-1]) == list(range(len(table)))
        patients_of_third_share.append(drawn[2])
    first_draw, second_draw = patients_of_third_share
    assert first_draw != second_draw


def test_a_patient_comes_with_all_lesions():
    table = index()
    (rows,) = nested_shares(table, CLASSES, [0.3], generator(0, "draw"))
    assert len(rows) == 2 * len(patients(table, rows))


@pytest.mark.parametrize("benign_patients", [20, 0])
def test_the_smallest_share_has_both_classes_even_if_no_patient_has_only_the_first(benign_patients):
    table = index(benign=benign_patients)
    (rows,) = nested_shares(table, CLASSES, [0.01], generator(0, "draw"))
    assert set(table["label"].iloc[rows]) == set(CLASSES)


def test_the_order_of_the_rows_does_not_matter():
    table = index()
    reversed_table = table[::-1].reset_index(drop=True)
    (rows,) = nested_shares(table, CLASSES, [0.3], generator(0, "draw"))
    (other_rows,) = nested_shares(reversed_table, CLASSES, [0.3], generator(0, "draw"))
    assert patients(table, rows) == patients(reversed_table, other_rows)


def has_both_classes(table, positions):
    return set(table["label"].iloc[positions]) == set(CLASSES)


def test_every_patient_is_tested_once_and_each_part_of_a_fold_has_both_classes():
    table = index()
    tested = []
    for train, validation, test in divide_into_folds(table, CLASSES, 5, 0.25, seed=1, repeat=0):
        assert sorted([*train, *validation, *test]) == list(range(len(table)))
        train_patients = patients(table, train)
        validation_patients = patients(table, validation)
        test_patients = patients(table, test)
        # No patient is in two parts.
        assert len(train_patients | validation_patients | test_patients) == 29
        assert len(train_patients) + len(validation_patients) + len(test_patients) == 29
        assert has_both_classes(table, train)
        assert has_both_classes(table, validation)
        assert has_both_classes(table, test)
        not_tested = 29 - len(test_patients)
        assert len(validation_patients) == pytest.approx(0.25 * not_tested, abs=1)
        assert 5 <= len(test_patients) <= 6
        tested += sorted(test_patients)
    assert sorted(tested) == sorted(set(table["patient"]))


def test_folds_are_balanced_by_class_and_differ_between_repeats():
    table = index()
    malignant = set(table["patient"][table["label"] == "malignant"])

    def tested(repeat):
        folds = divide_into_folds(table, CLASSES, 3, 0.25, 1, repeat)
        return [patients(table, test) for _, _, test in folds]

    first = tested(0)
    second = tested(1)
    again = tested(0)
    assert [len(fold & malignant) for fold in first] == [3, 3, 3]
    assert first != second
    assert first == again


def test_too_few_patients_of_a_class_raise_an_error():
    with pytest.raises(
        InputError,
        match=r"cross_validation.folds: got 5, but 4 of the target's .* 'malignant' .* at least 5",
    ):
        list(divide_into_folds(index(malignant=4), CLASSES, 5, 0.25, 1, 0))
    with pytest.raises(InputError, match="got 2, but 3 of .* at least 4"):
        list(divide_into_folds(index(malignant=3), CLASSES, 2, 0.25, 1, 0))


@pytest.mark.parametrize("count", (2, 3, 4))
def test_four_patients_of_a_class_suffice_for_up_to_four_folds(count):
    table = index(malignant=4)
    for parts in divide_into_folds(table, CLASSES, count, 0.9, 1, 0):
        for rows in parts:
            assert "malignant" in set(table["label"].iloc[rows])
