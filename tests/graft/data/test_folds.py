import pandas as pd
import pytest

from graft.common.files import InputError
from graft.data.folds import assign_folds, deal_patients

CLASSES = ["benign", "malignant"]


def make_index(benign: int, malignant: int) -> pd.DataFrame:
    """Patients with two lesions each."""
    patients = [f"p{i:02}" for i in range(benign + malignant)]
    labels = ["benign"] * benign + ["malignant"] * malignant
    one = pd.DataFrame({"patient": patients, "label": labels})
    return pd.concat([one, one], ignore_index=True)


def fold_of_patients(index: pd.DataFrame, parts: pd.Series, folds: int, seed: int = 0) -> pd.Series:
    drawn = assign_folds("liver", index, parts, CLASSES, folds, seed)
    assert (drawn.groupby(index["patient"]).nunique() == 1).all()
    return drawn.groupby(index["patient"]).first()


def test_patients_are_dealt_one_by_one_class_by_class():
    assert deal_patients([["a", "b", "c"], ["d", "e"]], 2) == {
        "a": 0,
        "b": 1,
        "c": 0,
        "d": 1,
        "e": 0,
    }


def test_folds_have_equal_numbers_of_each_class():
    index = make_index(benign=13, malignant=7)
    folds = fold_of_patients(index, pd.Series("train", index.index), 5)
    label = index.groupby("patient")["label"].first()
    assert sorted(folds.value_counts()) == [4, 4, 4, 4, 4]
    assert sorted(folds[label == "benign"].value_counts()) == [2, 2, 3, 3, 3]
    assert sorted(folds[label == "malignant"].value_counts()) == [1, 1, 1, 2, 2]


def test_only_training_patients_have_a_fold_and_the_seed_decides_it():
    index = make_index(benign=13, malignant=7)
    patient = index["patient"]
    parts = pd.Series("train", index.index).mask(patient.isin(["p00", "p01"]), "test")
    parts = parts.mask(patient == "p19", "")
    folds = fold_of_patients(index, parts, 5)
    assert set(folds[["p00", "p01", "p19"]]) == {0}
    assert set(folds.drop(["p00", "p01", "p19"])) == {1, 2, 3, 4, 5}
    assert folds.equals(fold_of_patients(index, parts, 5))
    assert not folds.equals(fold_of_patients(index, parts, 5, seed=1))
    shuffled = index.sample(frac=1, random_state=0)
    assert folds.equals(fold_of_patients(shuffled, parts[shuffled.index], 5))


def test_a_validation_part_leaves_no_fold():
    index = make_index(benign=4, malignant=4)
    parts = pd.Series("train", index.index).mask(index["patient"] == "p00", "validation")
    assert set(fold_of_patients(index, parts, 2)) == {0}


@pytest.mark.parametrize("seed", range(10))
def test_both_of_two_patients_with_a_class_are_never_in_one_fold(seed):
    """The benign lesions are those of two malignant patients, who are dealt like all others."""
    index = make_index(benign=0, malignant=8)
    index.loc[[0, 1], "label"] = "benign"
    folds = fold_of_patients(index, pd.Series("train", index.index), 2, seed)
    assert folds["p00"] != folds["p01"]


def test_a_class_that_one_patient_has_is_refused():
    index = make_index(benign=8, malignant=1)
    message = (
        "liver.split.folds: the class 'malignant' has 1 patient to train on, expected at least"
    )
    with pytest.raises(InputError, match=message):
        fold_of_patients(index, pd.Series("train", index.index), 5)


def test_more_folds_than_patients_are_refused():
    index = make_index(benign=3, malignant=2)
    with pytest.raises(InputError, match="liver.split.folds: got 6, but 5 patients have labels"):
        fold_of_patients(index, pd.Series("train", index.index), 6)
