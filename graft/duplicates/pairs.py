"""Pairs of images that are the same picture, within a domain or across domains."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from graft.common.files import InputError
from graft.data.domain import Domain
from graft.duplicates.fingerprints import DIGITS, DuplicatePair
from graft.duplicates.planes import similar_planes
from graft.duplicates.volumes import similar_volumes

MAX_LISTED = 20  # pairs that an error names


def check_duplicates(domain: Domain, parts: pd.Series) -> list[DuplicatePair]:
    """Find the pairs within each part of a split; a model must not be tested on what it has seen.

    `parts` has the part of each sample, "" for those that no model sees.

    Raises InputError if two images of a pair are in two parts.
    """
    rows = np.flatnonzero(parts != "")
    part_of = np.asarray(parts)
    pairs = []
    for pair in find_pairs((domain, rows)):
        first, second = int(rows[pair.first]), int(rows[pair.second])
        pairs.append(DuplicatePair(first, second, pair.evidence))
    across = [pair for pair in pairs if part_of[pair.first] != part_of[pair.second]]
    if across:
        origins = domain.index["origin"]
        names = [f"{origin} ({part})" for origin, part in zip(origins, part_of, strict=True)]
        raise InputError(
            f"domains.{domain.name}: {len(across)} pairs of images are the same picture in two "
            f"parts of the split: {describe_pairs(across, names, names)}; expected each in one "
            "part: give both images of a pair one patient, or remove one"
        )
    return pairs


def describe_pairs(
    pairs: list[DuplicatePair], first_names: list[str], second_names: list[str]
) -> str:
    """The first MAX_LISTED pairs in words, with the names of their images."""
    described = []
    for pair in pairs[:MAX_LISTED]:
        first, second = first_names[pair.first], second_names[pair.second]
        described.append(f"{first} and {second}, {pair.evidence}")
    if len(pairs) > MAX_LISTED:
        described.append(f"and {len(pairs) - MAX_LISTED} more")
    return "; ".join(described)


def pairs_between(
    domain: Domain, rows: np.ndarray, other: Domain, other_rows: np.ndarray
) -> list[DuplicatePair]:
    """Find the pairs of one image in some rows of a domain and one in some rows of another.

    Their numbers are those rows. Images of different sizes are no pair.
    """
    if domain.images.shape[2:] != other.images.shape[2:]:
        return []
    count = len(rows)
    pairs = []
    for pair in find_pairs((domain, rows), (other, other_rows)):
        if pair.first < count <= pair.second:
            first, second = int(rows[pair.first]), int(other_rows[pair.second - count])
            pairs.append(DuplicatePair(first, second, pair.evidence))
    return pairs


def find_pairs(*selections: tuple[Domain, np.ndarray]) -> Iterator[DuplicatePair]:
    """Yield the pairs among some rows of one or several domains, numbered from 0 in their order.

    If several images have the same bytes, each is paired with the first of them.
    """
    fingerprints: list[str] = []
    images: list[tuple[np.ndarray, int]] = []  # a file's array and a row: read when compared
    for domain, rows in selections:
        fingerprints += domain.index["hash"].to_numpy()[rows].tolist()
        for row in rows:
            images.append((domain.images, row))
    first_with_digest: dict[str, int] = {}
    for number, fingerprint in enumerate(fingerprints):
        first = first_with_digest.setdefault(fingerprint[:DIGITS], number)
        if first != number:
            yield DuplicatePair(first, number, "identical")
    numbers = list(first_with_digest.values())
    distinct = []
    distinct_fingerprints = []
    for number in numbers:
        file, row = images[number]
        distinct.append(file[row])  # a view of a memory-mapped file
        distinct_fingerprints.append(fingerprints[number])
    if distinct and distinct[0].ndim == 3:
        similar = similar_planes(distinct_fingerprints, distinct)
    else:
        similar = similar_volumes(distinct)
    for pair in similar:
        yield DuplicatePair(numbers[pair.first], numbers[pair.second], pair.evidence)
