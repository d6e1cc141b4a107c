"""One picture in two places: what a model learnt by heart must not test it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from graft.common.files import InputError
from graft.data.domain import Domain
from graft.duplicates.fingerprints import DIGITS, near_planes, near_volumes

LISTED = 20  # pairs that the error names


@dataclass(frozen=True)
class Pair:
    """Two rows of an index that hold one picture, and how far apart they are."""

    one: int
    other: int
    apart: str


def check_duplicates(domain: Domain, parts: pd.Series) -> list[Pair]:
    """The pairs of one picture within a part of a split; raises InputError where one is in two parts.

    `parts` has the part of each sample, "" for those that no model sees.
    """
    rows = np.flatnonzero(parts != "")
    part, origin = np.asarray(parts), np.asarray(domain.index["origin"])
    pairs = list(find_pairs((domain, rows)))
    pairs = [Pair(int(rows[pair.one]), int(rows[pair.other]), pair.apart) for pair in pairs]
    across = [pair for pair in pairs if part[pair.one] != part[pair.other]]
    if across:
        where = [f"{name} ({place})" for name, place in zip(origin, part)]
        raise InputError(
            f"domains.{domain.name}: {len(across)} pairs of images are the same picture in two parts of the split: "
            f"{describe_pairs(across, where, where)}; expected each in one part: give both images of a pair one "
            "patient, or remove one"
        )
    return pairs


def describe_pairs(pairs: list[Pair], one: list[str], other: list[str]) -> str:
    """The first pairs in words, by the names of the rows that `one` and `other` of a pair count in."""
    told = [f"{one[pair.one]} and {other[pair.other]}, {pair.apart}" for pair in pairs[:LISTED]]
    return "; ".join(told) + (f"; and {len(pairs) - LISTED} more" if len(pairs) > LISTED else "")


def pairs_between(
    domain: Domain, rows: np.ndarray, other: Domain, others: np.ndarray
) -> list[Pair]:
    """The pairs of one picture in some rows of a domain and in some of another; images of other sizes are no pair."""
    if domain.images.shape[2:] != other.images.shape[2:]:
        return []
    pairs = find_pairs((domain, rows), (other, others))
    return [
        Pair(int(rows[pair.one]), int(others[pair.other - len(rows)]), pair.apart)
        for pair in pairs
        if pair.one < len(rows) <= pair.other
    ]


def find_pairs(*some: tuple[Domain, np.ndarray]) -> Iterator[Pair]:
    """The pairs of one picture among some rows of one domain or several, numbered from 0 in their order.

    Where several images have the same bytes, each is paired with the first of them.
    """
    codes = [code for domain, rows in some for code in domain.index["hash"].to_numpy()[rows]]
    images = [(domain.images, row) for domain, rows in some for row in rows]
    first: dict[str, int] = {}
    for number, code in enumerate(codes):
        before = first.setdefault(code[:DIGITS], number)
        if before != number:
            yield Pair(before, number, "identical")
    numbers = list(first.values())
    pictures = [
        images[number][0][images[number][1]] for number in numbers
    ]  # views of the memory-mapped file
    planes = bool(pictures) and pictures[0].ndim == 3
    near = (
        near_planes([codes[number] for number in numbers], pictures)
        if planes
        else near_volumes(pictures)
    )
    for one, other, apart in near:
        yield Pair(numbers[one], numbers[other], apart)
