"""How patients are divided for repeated trainings: into nested shares, and into folds."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from graft.common.files import InputError
from graft.common.seeds import generator
from graft.data.folds import deal_patients, random_orders
from graft.strategies.inner_folds import deal_into_inner_folds

FEWEST = 4  # patients of a class: 2 of them are outside each of 2 folds, to train and to validate


def nested_shares(
    part: pd.DataFrame, classes: Sequence[str], shares: Sequence[float], random: np.random.Generator
) -> list[np.ndarray]:
    """Draw shares of the patients of a part so that each share contains all smaller ones.

    The n patients of each class are in one random order, and a share takes the first round(share·n)
    of them, at least one. The class of a patient is the last one, in the order of `classes`, that
    one of their lesions has. If this leaves a class with lesions but without patients, the first
    patient with such a lesion is always taken.

    Args:
        part: rows of index.csv.
        classes: in order.
        shares: in (0, 1].
        random: decides the order of the patients.

    Returns:
        For each share, the positions in `part` of the lesions of its patients.
    """
    orders = random_orders(part, classes, random)
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
    """Divide patients into folds, each with its own training and validation patients.

    Each patient is tested in one fold of a repeat. The patients of each class, in a random order,
    are dealt to the folds one by one. Of those outside a fold, the share `validation` of each
    class validates, at least one and not all. If the share is 0, nobody does.

    The folds differ by at most one in their number of patients of a class. scikit-learn's
    StratifiedGroupKFold does not ensure that: its greedy heuristic balances the classes of the
    samples, which are lesions here, and not those of the patients.

    Args:
        index: rows of index.csv.
        classes: in order.
        count: the number of folds.
        validation: a share in [0, 1).
        seed: of the random draws.
        repeat: the number of the repeat, which has random draws of its own.

    Yields:
        The positions in `index` to train on, to validate on and to test on, fold by fold.

    Raises:
        InputError: if a class has too few patients to test, validate and train in each fold.
    """
    orders = random_orders(index, classes, generator(seed, "folds", count, repeat))
    _check_enough_patients(orders, classes, count)
    fold_of = deal_patients(orders, count)
    fold = index["patient"].map(fold_of).to_numpy()
    for number in range(count):
        random = generator(seed, "inner validation", count, repeat, number)
        validating: set[str] = set()
        for order in orders if validation else ():
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


def divide_into_inner_folds(
    outside: pd.DataFrame,
    classes: Sequence[str],
    seed: int,
    count: int,
    repeat: int,
    fold: int,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Divide the patients outside a fold into INNER_FOLDS, dealt as in `divide_into_folds`.

    Args:
        outside: the rows of index.csv that are not in the fold.
        classes: in order.
        seed: of the random draws.
        count: the number of folds.
        repeat: the number of the repeat.
        fold: the number of the fold, which has random draws of its own.

    Returns:
        For each inner fold, the positions in `outside` of the lesions to train on and to predict.
        There are fewer inner folds if there are fewer patients.
    """
    random = generator(seed, "inner folds", count, repeat, fold)
    orders = random_orders(outside, classes, random)
    folds = deal_into_inner_folds(orders, outside["patient"].to_numpy())
    return [(np.flatnonzero(folds != k), np.flatnonzero(folds == k)) for k in np.unique(folds)]


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
    """For each class one patient with such a lesion, the first in the random order."""
    everyone = [patient for order in orders for patient in order]
    found: set[str] = set()
    for order, label in zip(orders, classes, strict=True):
        with_lesion = set(part["patient"][part["label"] == label])
        candidates = order or [patient for patient in everyone if patient in with_lesion]
        found |= set(candidates[:1])
    return found
