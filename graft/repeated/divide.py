"""Patients divided for repeated trainings: nested shares of the labelled ones, and folds."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from graft.common.files import InputError
from graft.common.seeds import generator

FEWEST = 4  # patients of a class with 2 folds: 2 are left, one to train and one to validate on


def nested_shares(
    part: pd.DataFrame, classes: Sequence[str], shares: Sequence[float], random: np.random.Generator
) -> list[np.ndarray]:
    """Positions in `part` of the lesions of each share of its patients, smaller within larger ones.

    The patients of each class are in one random order, and a share takes the first round(share·n)
    of them, at least one. A patient's class is the last, in order, of their lesions. If all
    patients with lesions of a class belong to a later one, the first of them is always taken.

    Args:
        part: rows of index.csv.
        classes: in order.
        shares: in (0, 1].
        random: of one draw. Its state decides the order.
    """
    orders = _random_orders(part, classes, random)
    always = _one_of_each_class(part, classes, orders)
    drawn = []
    for share in shares:
        kept = set(always)
        for order in orders:
            kept |= set(order[: round(share * len(order))])
        drawn.append(np.flatnonzero(part["patient"].isin(kept)))
    return drawn


def divide_into_folds(
    index: pd.DataFrame,
    classes: Sequence[str],
    count: int,
    validation: float,
    seed: int,
    repeat: int,
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Train, validation and test positions in `index`, fold by fold.

    Each patient is tested in one fold of a repeat. The patients of each class, in a random order,
    are dealt to the folds one by one. Of those outside a fold, the share `validation` of each
    class validates, at least one and not all.

    The folds differ by at most one in their number of patients of a class. scikit-learn's
    StratifiedGroupKFold does not ensure that: a greedy heuristic balances the class distribution
    of its samples, which are lesions here, and keeps each patient in one fold.

    Raises InputError if a class has too few patients to test, validate and train in each fold.
    """
    orders = _random_orders(index, classes, generator(seed, "folds", count, repeat))
    _check_enough_patients(orders, classes, count)
    fold_of: dict[str, int] = {}
    for order in orders:
        for patient in order:
            fold_of[patient] = len(fold_of) % count
    fold = index["patient"].map(fold_of).to_numpy()
    for number in range(count):
        random = generator(seed, "inner validation", count, repeat, number)
        validating: set[str] = set()
        for order in orders:
            outside = [patient for patient in order if fold_of[patient] != number]
            others = random.permutation(outside)
            enough = min(max(1, round(validation * len(others))), len(others) - 1)
            validating |= set(others[:enough])
        inner = index["patient"].isin(validating).to_numpy()
        yield (
            np.flatnonzero((fold != number) & ~inner),
            np.flatnonzero(inner),
            np.flatnonzero(fold == number),
        )


def _check_enough_patients(orders: Sequence[list[str]], classes: Sequence[str], count: int) -> None:
    fewest = max(count, FEWEST)
    for label, order in zip(classes, orders, strict=True):
        if len(order) < fewest:
            raise InputError(
                f"cross_validation.folds: got {count}, but {len(order)} of the target's patients "
                f"outside the official and the external test have the class {label!r} (and no "
                f"later one), expected at least {fewest}, or fewer folds"
            )


def _one_of_each_class(
    part: pd.DataFrame, classes: Sequence[str], orders: Sequence[list[str]]
) -> set[str]:
    """One patient with a lesion of each class, the first in the random order."""
    everyone = [patient for order in orders for patient in order]
    found: set[str] = set()
    for order, label in zip(orders, classes, strict=True):
        having = set(part["patient"][part["label"] == label])
        candidates = order or [patient for patient in everyone if patient in having]
        found |= set(candidates[:1])
    return found


def _random_orders(
    part: pd.DataFrame, classes: Sequence[str], random: np.random.Generator
) -> list[list[str]]:
    """The patients of each class in a random order, which the order of the rows does not affect."""
    codes = part["label"].map(list(classes).index)
    worst = codes.groupby(part["patient"]).max()  # sorted by patient
    orders = []
    for code in range(len(classes)):
        patients = list(worst.index[worst == code])
        orders.append(random.permutation(patients).tolist())
    return orders
