"""Which patients of the target a repeated training learns from: nested shares of the labelled ones, and folds."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from graft.common.files import InputError
from graft.common.seeds import generator


def nested_shares(
    part: pd.DataFrame, classes: Sequence[str], shares: Sequence[float], random: np.random.Generator
) -> list[np.ndarray]:
    """Positions in `part` of the lesions of each share of its patients; a smaller share is part of a larger one.

    The patients of each class stand in one random order, and a share takes the first of them: round(share · n), at
    least one. A patient's class is the last, in order, of their lesions; where a class has lesions in patients of a
    later one alone, the first of these is always taken.

    Args:
        part: rows of index.csv.
        random: of one draw; its state decides the order.
    """
    orders = _orders(part, classes, random)
    everyone = [patient for order in orders for patient in order]
    always = set()
    for order, label in zip(orders, classes, strict=True):
        holders = set(part["patient"][part["label"] == label])
        always |= set(order[:1] or [patient for patient in everyone if patient in holders][:1])
    drawn = []
    for share in shares:
        kept = {patient for order in orders for patient in order[: round(share * len(order))]}
        drawn.append(np.flatnonzero(part["patient"].isin(kept | always)))
    return drawn


def divide_into_folds(
    index: pd.DataFrame,
    classes: Sequence[str],
    count: int,
    validation: float,
    seed: int,
    repeat: int,
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Train, validation and test positions in `index`, fold by fold; each patient is tested in one fold of a repeat.

    The patients of each class, in a random order, are dealt to the folds in turn. Of those outside a fold the share
    `validation` of each class validates, at least one and not all.

    Raises InputError where a class has too few patients for each fold to test, validate and train on one.
    """
    least = max(count, 4)  # 2 folds leave 2 of 4: one to train on, one to validate on
    orders = _orders(index, classes, generator(seed, "folds", count, repeat))
    for label, order in zip(classes, orders, strict=True):
        if len(order) < least:
            raise InputError(
                f"evaluate.folds: got {count}, but {len(order)} of the target's patients outside the official and the "
                f"external test have the class {label!r} (and no later one), expected at least {least}, or fewer folds"
            )
    dealt = {
        patient: turn % count
        for turn, patient in enumerate(patient for order in orders for patient in order)
    }
    fold = index["patient"].map(dealt).to_numpy()
    for number in range(count):
        held = set()
        random = generator(seed, "inner validation", count, repeat, number)
        for order in orders:
            others = random.permutation([patient for patient in order if dealt[patient] != number])
            held |= set(others[: min(max(1, round(validation * len(others))), len(others) - 1)])
        inner = index["patient"].isin(held).to_numpy()
        yield tuple(
            np.flatnonzero(rows) for rows in ((fold != number) & ~inner, inner, fold == number)
        )


def _orders(
    part: pd.DataFrame, classes: Sequence[str], random: np.random.Generator
) -> list[list[str]]:
    """The patients of each class in a random order, in which the order of their rows has no part."""
    worst = (
        part["label"].map(list(classes).index).groupby(part["patient"]).max()
    )  # sorted by patient
    return [
        random.permutation(list(worst.index[worst == code])).tolist()
        for code in range(len(classes))
    ]
