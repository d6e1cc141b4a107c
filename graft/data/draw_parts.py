"""Which patients of one class train, validate and test: drawn by shares."""

import numpy as np

from graft.common.files import InputError
from graft.common.shown import counted
from graft.data.settings import SplitRules


def draw_parts(
    name: str, label: str, patients: int, shares: SplitRules, random: np.random.Generator
) -> np.ndarray:
    """Draw the part of each patient of one class: (patients,).

    Each of train, validation and test gets at least one patient; validation none if its share
    is 0.

    Raises:
        InputError: if the class has too few patients.
    """
    validates = 1 if shares.validation else 0
    if patients < 2 + validates:
        uses = "train, validate and test" if validates else "train and test"
        raise InputError(
            f"domains.{name}: the class {label!r} has {counted(patients, 'patient')} to split, "
            f"expected at least {2 + validates}: one each to {uses} on"
        )
    test = max(1, round(shares.test * patients))
    test = min(test, patients - 1 - validates)
    validation = max(validates, round(shares.validation * patients))
    validation = min(validation, patients - 1 - test)
    train = patients - test - validation
    parts = np.repeat(["train", "validation", "test"], [train, validation, test])
    return random.permutation(parts)


def draw_validation(
    name: str, label: str, patients: int, shares: SplitRules, random: np.random.Generator
) -> np.ndarray:
    """Draw the validation part from the training patients of one class: (patients,).

    Raises:
        InputError: if the class has fewer than two patients.
    """
    if patients < 2:
        raise InputError(
            f"domains.{name}: the class {label!r} has 1 patient in the given part train, and no "
            "part validation is given; expected at least 2: one each to train and validate on"
        )
    validation = max(1, round(shares.validation * patients))
    validation = min(validation, patients - 1)
    parts = np.repeat(["train", "validation"], [patients - validation, validation])
    return random.permutation(parts)
