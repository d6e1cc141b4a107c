"""Patients are connected by the pictures that they share, also through other patients."""

import numpy as np
import pandas as pd

from graft.duplicates.components import group_images, join_patients
from graft.duplicates.fingerprints import IDENTICAL, DuplicatePair

INDEX = pd.DataFrame({"patient": ["e", "a", "b", "a", "c", "d"]})


def pairs_of(*rows: tuple[int, int]) -> list[DuplicatePair]:
    return [DuplicatePair(first, second, IDENTICAL) for first, second in rows]


def joined(used: np.ndarray, *rows: tuple[int, int]) -> str:
    return "".join(join_patients(INDEX, used, pairs_of(*rows))["patient"])


def test_connected_images_are_one_group():
    groups = group_images(pairs_of((0, 3), (3, 5), (1, 2)), 6)
    assert groups.tolist() == [0, 1, 1, 0, 2, 0]


def test_patients_who_share_pictures_get_the_first_of_their_names():
    everything = np.ones(6, bool)
    assert joined(everything) == "eabacd"
    assert joined(everything, (1, 3)) == "eabacd"  # of one patient
    assert joined(everything, (2, 5)) == "eabacb"
    # e shares a picture with a, and c shares another one with a
    assert joined(everything, (0, 3), (1, 4)) == "aabaad"
    shifted = INDEX.set_index(np.arange(6) + 10)
    assert join_patients(shifted, everything, pairs_of((2, 5)))["patient"].iloc[5] == "b"


def test_an_image_that_is_left_out_connects_nobody_but_links_copies_of_it():
    used = np.array([True, True, False, True, True, True])
    assert joined(used, (2, 5)) == "eabacd"
    assert joined(used, (4, 2), (2, 5)) == "eabacc"
