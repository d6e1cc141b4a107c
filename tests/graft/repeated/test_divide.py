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
    return set(table["patient"].iloc[positions])


def test_a_smaller_share_is_part_of_a_larger_one_and_draws_differ():
    table, shares = index(), [0.05, 0.1, 0.3, 0.5, 1.0]
    drawn = [nested_shares(table, CLASSES, shares, generator(0, "draw", draw)) for draw in range(2)]
    for several in drawn:
        for smaller, larger in zip(several, several[1:], strict=False):
            assert patients(table, smaller) < patients(table, larger)
        counts = [len(patients(table, rows)) for rows in several]
        # round(share · 20) + round(share · 9), at least 1 of each class
        assert counts == [2, 3, 9, 14, 29]
        assert sorted(several[-1]) == list(range(len(table)))
    assert patients(table, drawn[0][2]) != patients(table, drawn[1][2])


def test_a_patient_comes_with_all_lesions():
    table = index()
    (rows,) = nested_shares(table, CLASSES, [0.3], generator(0, "draw"))
    assert len(rows) == 2 * len(patients(table, rows))


def test_the_smallest_share_has_both_classes_even_if_no_patient_has_only_the_first():
    for table in (index(), index(benign=0)):
        (rows,) = nested_shares(table, CLASSES, [0.01], generator(0, "draw"))
        assert set(table["label"].iloc[rows]) == set(CLASSES)


def test_the_order_of_the_rows_does_not_matter():
    table = index()
    turned = table[::-1].reset_index(drop=True)
    (one,) = nested_shares(table, CLASSES, [0.3], generator(0, "draw"))
    (other,) = nested_shares(turned, CLASSES, [0.3], generator(0, "draw"))
    assert patients(table, one) == patients(turned, other)


def test_every_patient_is_tested_once_and_each_part_of_a_fold_has_both_classes():
    table = index()
    tested = []
    for train, validation, test in divide_into_folds(table, CLASSES, 5, 0.25, seed=1, repeat=0):
        assert sorted([*train, *validation, *test]) == list(range(len(table)))
        groups = [patients(table, rows) for rows in (train, validation, test)]
        assert len(set.union(*groups)) == sum(map(len, groups)) == 29
        assert all(
            set(table["label"].iloc[rows]) == set(CLASSES) for rows in (train, validation, test)
        )
        assert len(groups[1]) == pytest.approx(0.25 * (29 - len(groups[2])), abs=1)
        tested += sorted(groups[2])
        assert 5 <= len(groups[2]) <= 6
    assert sorted(tested) == sorted(set(table["patient"]))


def test_folds_are_balanced_by_class_and_differ_between_repeats():
    table = index()
    malignant = set(table["patient"][table["label"] == "malignant"])

    def tested(repeat):
        folds = divide_into_folds(table, CLASSES, 3, 0.25, 1, repeat)
        return [patients(table, test) for _, _, test in folds]

    first, second, again = tested(0), tested(1), tested(0)
    assert [len(fold & malignant) for fold in first] == [3, 3, 3]
    assert first != second and first == again


def test_too_few_patients_of_a_class_raise_an_error():
    with pytest.raises(
        InputError,
        match=r"cross_validation.folds: got 5, but 4 of the target's .* 'malignant' .* at least 5",
    ):
        list(divide_into_folds(index(malignant=4), CLASSES, 5, 0.25, 1, 0))
    with pytest.raises(InputError, match="got 2, but 3 of .* at least 4"):
        list(divide_into_folds(index(malignant=3), CLASSES, 2, 0.25, 1, 0))
    labels = index(malignant=4)["label"]
    for count in (2, 3, 4):
        for parts in divide_into_folds(index(malignant=4), CLASSES, count, 0.9, 1, 0):
            assert all("malignant" in set(labels.iloc[rows]) for rows in parts)
