import io
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from graft.common.files import InputError
from graft.data.folds import assign_folds
from graft.data.sealed_tables import write_sealed_table
from graft.data.settings import SplitRules
from graft.data.split import (
    assign_parts,
    describe_lesions,
    read_folds,
    read_split,
    write_split,
)

CLASSES = ["benign", "malignant"]
RULES = SplitRules(
    external=None, labelled=1.0, validation=0.2, folds=5, test=0.3, duplicates="refuse"
)


def make_index(benign: int = 10, malignant: int = 10, lesions: int = 1) -> pd.DataFrame:
    """Patients b0, b1, ... and m0, m1, ... with some lesions each, ordered by lesion."""
    patients = [("benign", f"b{number}") for number in range(benign)]
    patients += [("malignant", f"m{number}") for number in range(malignant)]
    rows = []
    for label, name in patients * lesions:
        rows.append((name, label, "site-a", "", f"row {name}", 1.0))
    index = pd.DataFrame(rows, columns=["patient", "label", "site", "split", "origin", "size"])
    index.insert(0, "sample", range(len(index)))
    return index.assign(hash=[f"hash {sample}" for sample in index["sample"]])


def divide(
    index: pd.DataFrame, external: str | None = None, labelled: float = 1.0, seed: int = 42
) -> pd.Series:
    rules = RULES.model_copy(update={"external": external, "labelled": labelled})
    return assign_parts("lung", index, CLASSES, rules, seed)


def counts(index: pd.DataFrame, parts: pd.Series) -> dict[tuple[str, str], int]:
    """The number of patients by part and class."""
    groups = index.groupby([parts, index["label"]])
    return groups["patient"].nunique().to_dict()


def patients(index: pd.DataFrame, parts: pd.Series, *names: str) -> set[str]:
    return set(index["patient"][parts.isin(names)])


def test_each_class_is_divided_by_the_shares():
    index = make_index(benign=20, malignant=10, lesions=2)
    parts = divide(index)
    assert counts(index, parts) == {
        ("train", "benign"): 10,
        ("validation", "benign"): 4,
        ("test", "benign"): 6,
        ("train", "malignant"): 5,
        ("validation", "malignant"): 2,
        ("test", "malignant"): 3,
    }
    parts_per_patient = parts.groupby(index["patient"]).nunique()
    assert (parts_per_patient == 1).all()


def test_without_a_share_nobody_validates():
    index = make_index(benign=20, malignant=2, lesions=2)
    rules = RULES.model_copy(update={"validation": 0})
    assert counts(index, assign_parts("lung", index, CLASSES, rules, 42)) == {
        ("train", "benign"): 14,
        ("test", "benign"): 6,
        ("train", "malignant"): 1,
        ("test", "malignant"): 1,
    }
    with pytest.raises(InputError, match="has 1 patient to split, expected at least 2"):
        assign_parts("lung", make_index(malignant=1), CLASSES, rules, 42)


@pytest.mark.parametrize("validation", [0, 0.2])
def test_a_given_validation_part_stays_whatever_the_share(validation):
    given = ["train"] * 6 + ["validation"] * 2 + ["test"] * 2
    index = make_index().assign(split=given * 2)
    rules = RULES.model_copy(update={"validation": validation})
    assert list(assign_parts("lung", index, CLASSES, rules, 42)) == given * 2


def test_three_patients_of_a_class_are_enough():
    index = make_index(malignant=3)
    parts = divide(index)
    malignant = index["label"] == "malignant"
    assert set(parts[malignant]) == {"train", "validation", "test"}


def test_two_patients_of_a_class_are_refused():
    message = "class 'malignant' has 2 patients to split, expected at least 3"
    with pytest.raises(InputError, match=message):
        divide(make_index(malignant=2))


def test_the_split_depends_on_the_seed_and_not_on_the_pseudonyms():
    index = make_index()
    parts = divide(index)
    assert parts.equals(divide(index))
    assert not parts.equals(divide(index, seed=43))

    other_pseudonyms = index["patient"].str[::-1]
    assert parts.equals(divide(index.assign(patient=other_pseudonyms)))


def test_a_patient_counts_by_the_last_class_of_their_lesions():
    index = make_index(benign=12, malignant=4)
    index.loc[len(index)] = (16, "b0", "malignant", "site-a", "", "row b0", 1.0, "")
    # 5 patients have a malignant lesion: round(1.5) = 2 to test, 1 to validate, 2 to train
    names = index["patient"][index["label"] == "malignant"]
    malignant = index["patient"].isin(names)
    one_label = index[malignant].assign(label="any")
    assert counts(one_label, divide(index)[malignant]) == {
        ("test", "any"): 2,
        ("train", "any"): 2,
        ("validation", "any"): 1,
    }


def test_the_external_site_is_kept_whole():
    index = make_index(benign=20, malignant=20)
    at_site_b = index["patient"].str.endswith(("7", "8"))
    index.loc[at_site_b, "site"] = "site-b"
    parts = divide(index, external="site-b")
    assert parts.eq("external").equals(at_site_b)
    assert counts(index, parts)["test", "benign"] == 5  # round(0.3 · 16)
    assert "external" not in set(divide(index))


def test_an_external_site_that_does_not_exist_is_refused():
    message = "lung.split.external: got 'site-z', expected null or one of the sites site-a"
    with pytest.raises(InputError, match=message):
        divide(make_index(), external="site-z")


def test_an_external_site_without_a_class_is_refused():
    index = make_index()
    benign = index["patient"].isin(["b0", "b1"])
    index.loc[benign, "site"] = "site-b"
    message = "part external has none of the 10 patients with the class 'malignant'"
    with pytest.raises(InputError, match=message):
        divide(index, external="site-b")


def test_a_patient_of_two_sites_of_which_one_is_external_is_refused():
    index = make_index(lesions=2)
    index.loc[[0, 15], "site"] = "site-b"
    message = r"the patient b0 is in another site \(row b0\) and in external \(row b0\)"
    with pytest.raises(InputError, match=message):
        divide(index, external="site-b")


def test_given_splits_are_respected():
    given = ["train"] * 6 + ["validation"] * 2 + ["test"] * 2
    index = make_index().assign(split=given * 2)
    assert list(divide(index)) == given * 2


def test_lesions_of_the_external_site_need_no_given_split():
    given = ["train"] * 6 + ["validation"] * 2 + ["test"] * 2
    index = make_index().assign(split=given * 2)
    index.loc[[3, 13], "site"] = "site-b"
    index.loc[[3, 13], "split"] = ""
    parts = divide(index, external="site-b")
    assert list(parts[[2, 3, 13]]) == ["train", "external", "external"]


def test_given_splits_without_a_class_are_refused():
    given = ["train"] * 6 + ["validation"] * 2 + ["test"] * 12
    message = "part train has none of the 10 patients with the class 'malignant'"
    with pytest.raises(InputError, match=message):
        divide(make_index().assign(split=given))


def test_splits_given_to_only_some_lesions_are_refused():
    given = ["train"] * 6 + ["validation"] * 2 + ["test"] * 12
    index = make_index().assign(split=given)
    index.loc[4, "split"] = ""
    message = r"1 of 20 lesions without a given split \(the first is row b4\)"
    with pytest.raises(InputError, match=message):
        divide(index)


SHARES = (0.1, 0.2, 0.5, 1.0)


@pytest.mark.parametrize(("lower", "higher"), list(pairwise(SHARES)))
def test_a_lower_share_of_labels_is_a_subset_and_leaves_the_test_part_alone(lower, higher):
    index = make_index(benign=40, malignant=20, lesions=2)
    fewer = divide(index, labelled=lower)
    more = divide(index, labelled=higher)
    assert patients(index, fewer, "train") < patients(index, more, "train")
    assert patients(index, fewer, "validation") < patients(index, more, "validation")
    assert patients(index, fewer, "test") == patients(index, more, "test")


def test_a_share_of_labels_keeps_at_least_one_patient_per_class():
    index = make_index(benign=40, malignant=20, lesions=2)
    fifth = counts(index, divide(index, labelled=0.2))
    tenth = counts(index, divide(index, labelled=0.1))
    assert fifth["train", "benign"] == 4  # 0.2 · (40 − 12 − 8)
    assert tenth["validation", "malignant"] == 1  # at least one, of 4


def test_written_folds_are_read_for_each_training_row(tmp_path):
    index = make_index(lesions=2)
    rules = RULES.model_copy(update={"validation": 0, "labelled": 0.7})
    parts = assign_parts("lung", index, CLASSES, rules, 42)
    folds = assign_folds("lung", index, parts, CLASSES, 3, 42)
    write_split(tmp_path / "lung.csv", parts, index, folds)
    rows = read_split(tmp_path / "lung.csv", index)
    assert set(rows) == {"train", "test"}
    read = read_folds(tmp_path / "lung.csv", index)
    assert np.array_equal(read, folds[rows["train"]])
    assert set(read) == {1, 2, 3}


def test_a_domain_with_a_validation_part_has_no_folds(tmp_path):
    index = make_index()
    write_split(tmp_path / "lung.csv", divide(index), index)
    assert set(read_folds(tmp_path / "lung.csv", index)) == {0}


def test_a_written_split_is_read_as_the_rows_of_each_part(tmp_path):
    index = make_index(lesions=2)
    parts = divide(index, labelled=0.5)
    write_split(tmp_path / "lung.csv", parts, index)
    found = read_split(tmp_path / "lung.csv", index)
    assert set(found) == {"train", "validation", "test"}
    for part, rows in found.items():
        assert np.array_equal(rows, np.flatnonzero(parts == part))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "sample,part,fold\n0,train,0\n1,validation,0\n4,test,0\n",
            "expected samples from 0 to 3, each at most once",
        ),
        (
            "sample,part,fold\n0,train,0\n0,train,0\n1,validation,0\n",
            "expected samples from 0 to 3, each at most once",
        ),
        (
            "sample,part,fold\n0,train,0\n1,val,0\n",
            "has the part 'val', expected one of train, validation, test, external",
        ),
        (
            "sample,part,fold\n0,train,1\n2,test,0\n",
            r"the patient b0 is in test \(row b0\) and in train \(row b0\)",
        ),
        ("sample,part,fold\n0,train,1\n1,train,2\n", "no sample is in the part 'test'"),
        (
            "sample,part,fold\n0,train,0\n1,test,0\n",
            "a wrong number in the column fold, expected 1 or more in train, else 0",
        ),
        (
            "sample,part,fold\n0,train,1\n1,validation,0\n",
            "a wrong number in the column fold, expected 0 beside a validation part",
        ),
        (
            "sample,part,fold\n0,train,1\n1,train,3\n",
            r"has the folds \[1, 3\], expected 1, 2 and so on",
        ),
        ("sample,part,fold\n0,train,1\n2,train,2\n", "the patient b0 is in several folds"),
        ("sample,group\n0,train\n", "cannot be read, expected the columns sample, part, fold"),
        ("sample,part,fold\nzero,train,0\n", "cannot be read"),
    ],
)
def test_an_impossible_split_is_refused(tmp_path, content, message):
    index = make_index(benign=1, malignant=1, lesions=2)
    table = pd.read_csv(io.StringIO(content))
    write_sealed_table(tmp_path / "lung.csv", table, describe_lesions(index))
    with pytest.raises(InputError, match=message):
        read_split(tmp_path / "lung.csv", index)


def swap_two_patients(path: Path, index: pd.DataFrame) -> None:
    path.write_text(path.read_text().replace("train", "validation"))


def name_another_sample(path: Path, index: pd.DataFrame) -> None:
    path.write_text(path.read_text().replace("\n1,", "\n7,"))


def append_a_row(path: Path, index: pd.DataFrame) -> None:
    path.write_text(path.read_text() + "3,train\n")


def remove_the_seal(path: Path, index: pd.DataFrame) -> None:
    path.write_text(path.read_text().partition("#")[0])


def change_a_label_of_the_domain(path: Path, index: pd.DataFrame) -> None:
    index.loc[3, "label"] = "malignant"


def empty_the_file(path: Path, index: pd.DataFrame) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (swap_two_patients, "was changed after it was written"),
        (name_another_sample, "was changed after it was written"),
        (change_a_label_of_the_domain, "was changed after it was written"),
        (append_a_row, "has no line '# sha256 ' at the end"),
        (remove_the_seal, "has no line '# sha256 ' at the end"),
        (empty_the_file, "has no line '# sha256 ' at the end"),
    ],
)
def test_a_changed_split_or_domain_is_refused(tmp_path, damage, message):
    index = make_index()
    path = tmp_path / "lung.csv"
    write_split(path, divide(index), index)
    damage(path, index)
    with pytest.raises(InputError, match=f"^{path}: {message}"):
        read_split(path, index)


def with_given(index: pd.DataFrame, *parts: str) -> pd.DataFrame:
    """The index with given parts that its rows have in turn, by patient."""
    numbers = index["patient"].str[1:].astype(int)
    return index.assign(split=[parts[number % len(parts)] for number in numbers])


def test_without_a_given_validation_part_patients_are_drawn_from_train():
    index = with_given(make_index(benign=20, malignant=10, lesions=2), "train", "train", "test")
    parts = divide(index)
    # Of 14 benign patients in train round(2.8) = 3 validate, of 7 malignant ones round(1.4) = 1.
    assert counts(index, parts) == {
        ("train", "benign"): 11,
        ("validation", "benign"): 3,
        ("test", "benign"): 6,
        ("train", "malignant"): 6,
        ("validation", "malignant"): 1,
        ("test", "malignant"): 3,
    }
    assert (parts.groupby(index["patient"]).nunique() == 1).all()
    assert (parts == "test").equals(index["split"] == "test")
    assert parts.equals(divide(index))
    assert not parts.equals(divide(index, seed=43))


def test_the_patients_that_validate_do_not_depend_on_the_test_part():
    index = with_given(make_index(benign=20, malignant=20), "train", "train", "test")
    training = index.index[index["split"] == "train"]
    fewer = index[~index["patient"].isin(["b2", "b5", "m8"])]  # in test
    assert divide(index)[training].equals(divide(fewer)[training])


@pytest.mark.parametrize("share", [0.2, 0.99])
def test_a_class_keeps_a_patient_to_train_on(share):
    index = with_given(make_index(benign=4, malignant=4), "train", "test")
    rules = RULES.model_copy(update={"validation": share})
    parts = assign_parts("lung", index, CLASSES, rules, 42)
    assert counts(index, parts)["train", "benign"] == 1


def test_a_class_with_one_training_patient_cannot_validate():
    index = with_given(make_index(malignant=2), "train", "test")
    with pytest.raises(InputError, match="class 'malignant' has 1 patient in the given part train"):
        divide(index)


@pytest.mark.parametrize("missing", ["train", "test"])
def test_a_given_split_without_train_or_test_is_refused(missing):
    parts = [part for part in ("train", "validation", "test") if part != missing]
    message = (
        f"lung: the given split has no lesion in {missing}, expected some in train and in test"
    )
    with pytest.raises(InputError, match=message):
        divide(with_given(make_index(), *parts))
