"""Patients in folds: each class is dealt to them one by one."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from graft.common.files import InputError
from graft.common.seeds import generator
from graft.common.shown import counted

ATTEMPTS = 100  # at folds that leave every class outside of each of them


def assign_folds(
    name: str, index: pd.DataFrame, parts: pd.Series, classes: list[str], folds: int, seed: int
) -> pd.Series:
    """The fold, from 1 to `folds`, of each training sample of a domain without validation part.

    All other samples, and all those of a domain with a validation part, have the fold 0. The
    patients of each class, in a random order, are dealt to the folds one by one. If a class has
    no sample outside of a fold, they are dealt again.

    Args:
        name: of the domain.
        index: a row per sample of the domain. Patients who share a picture have one name.
        parts: (N,), the part of each sample, "" for a sample without one.
        classes: in order.
        folds: their number.
        seed: of the random draws.

    Raises:
        InputError: if there are fewer patients than folds, or if a class cannot be outside of each
            fold.
    """
    assigned = pd.Series(0, index=index.index)
    if (parts == "validation").any():
        return assigned
    training = index[parts == "train"]
    patients = training["patient"].nunique()
    key = f"domains.{name}.split.folds"
    if patients < folds:
        raise InputError(
            f"{key}: got {folds}, but {patients} patients have labels to train on, expected at "
            "most as many folds as patients"
        )
    for attempt in range(ATTEMPTS):
        random = generator(seed, "folds of", name, attempt)
        fold_of = deal_patients(random_orders(training, classes, random), folds)
        drawn = training["patient"].map(fold_of) + 1
        fewest = drawn.groupby(training["label"]).nunique()  # folds with a class
        if (fewest > 1).all():
            assigned[training.index] = drawn
            return assigned
    label = fewest.index[fewest < 2][0]
    having = training["patient"][training["label"] == label].nunique()
    raise InputError(
        f"{key}: the class {label!r} has {counted(having, 'patient')} to train on, expected at "
        "least 2, so that some are outside of each fold; or validation above 0"
    )


def deal_patients(orders: Sequence[list[str]], count: int) -> dict[str, int]:
    """Deal patients to `count` folds one by one, class by class: the fold of each, from 0."""
    patients = [patient for order in orders for patient in order]
    return {patient: position % count for position, patient in enumerate(patients)}


def random_orders(
    part: pd.DataFrame, classes: Sequence[str], random: np.random.Generator
) -> list[list[str]]:
    """The patients of each class in a random order, which the order of the rows does not affect.

    The class of a patient is the last one, in the order of `classes`, that one of their lesions
    has.

    Args:
        part: rows of index.csv.
        classes: in order.
        random: decides the order.
    """
    codes = part["label"].map(list(classes).index)
    last_class = codes.groupby(part["patient"]).max()  # sorted by patient
    orders = []
    for code in range(len(classes)):
        patients = list(last_class.index[last_class == code])
        orders.append(random.permutation(patients).tolist())
    return orders
