import numpy as np
import pandas as pd

from graft.data.domain import Domain
from graft.membership.patients import choose_patients

PARTS = ("train", "train", "train", "validation", "test", "test", "test", "external")
INDEX = pd.DataFrame(
    {
        "patient": ["a", "b", "a", "c", "d", "e", "d", "f"],
        "label": ["benign", "malignant"] * 4,
        "site": ["one", "two", "one", "one", "one", "three", "one", "four"],
    }
)


def choose(index: pd.DataFrame = INDEX):
    parts = {part: np.flatnonzero(np.array(PARTS) == part) for part in set(PARTS)}
    domain = Domain("lung", np.zeros((8, 1, 2, 2)), index, ["benign", "malignant"], {})
    return choose_patients(domain, parts)


def test_others_are_test_patients_of_the_members_sites():
    people = choose()
    assert INDEX["patient"][people.rows].tolist() == ["a", "b", "a", "d", "d"]
    assert people.patients.tolist() == [0, 1, 0, 2, 2]
    assert people.is_member.tolist() == [True, True, False]
    assert people.labels.tolist() == [0, 1, 0, 0, 0]


def test_without_sites_all_test_patients_are_others():
    people = choose(INDEX.assign(site=""))
    assert people.is_member.tolist() == [True, True, False, False]


def test_a_test_part_of_other_sites_has_no_others():
    assert choose(INDEX.assign(site=[*"aaa", "a", *"bbb", "c"])) is None
