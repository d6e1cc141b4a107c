"""Pairs of images that are the same picture, within a domain or across domains."""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from graft.common.files import InputError
from graft.common.shown import counted
from graft.data.domain import Domain
from graft.duplicates.features import describe_selections
from graft.duplicates.fingerprints import DIGITS, IDENTICAL, DuplicatePair
from graft.duplicates.images import Images, Selection
from graft.duplicates.planes import similar_planes
from graft.duplicates.shifted import shifted_copies
from graft.duplicates.volumes import similar_volumes

MAX_LISTED = 20  # pairs that an error names
MAX_OF_LISTING = 3  # if a file lists all of them


def find_duplicates(
    domain: Domain, parts: pd.Series, cache: Path | None = None
) -> list[DuplicatePair]:
    """Find the pairs of images of a domain, by their rows, the smaller one first.

    Args:
        domain: N images.
        parts: (N,) the part of each sample, "" for those that no model sees. Their order does not
            matter except for identical images, each of which is paired with one that has a part.
        cache: a folder, see `find_pairs`.
    """
    rows = np.argsort(np.asarray(parts == ""), kind="stable")  # samples with a part first
    pairs = []
    for found in find_pairs((domain, rows), cache=cache):
        first, second = sorted((int(rows[found.first]), int(rows[found.second])))
        pairs.append(DuplicatePair(first, second, found.evidence))
    return pairs


def check_duplicates(
    domain: Domain,
    parts: pd.Series,
    pairs: Sequence[DuplicatePair],
    listing: Path | None = None,
) -> list[DuplicatePair]:
    """Return the pairs within each part; a model must not be tested on what it has seen.

    Args:
        domain: N images.
        parts: (N,) the part of each sample, "" for those that no model sees.
        pairs: of the images of the domain.
        listing: a file that lists the pairs.

    Raises:
        InputError: if the two images of a pair are in two parts.
    """
    part_of = np.asarray(parts)  # (N,)
    within: list[DuplicatePair] = []
    across: list[DuplicatePair] = []
    for pair in pairs:
        part, other_part = part_of[pair.first], part_of[pair.second]
        if part and other_part:
            (within if part == other_part else across).append(pair)
    if across:
        names = []
        for origin, part in zip(domain.index["origin"], part_of, strict=True):
            names.append(f"{origin} ({part})")
        raise InputError(
            f"domains.{domain.name}: the same picture is in two parts of the split, in "
            f"{counted(len(across), 'pair')} of images: {_describe(across, names, listing)}; "
            f"expected each in one part: set domains.{domain.name}.split.duplicates to keep-first "
            "or drop, or give both images of a pair one patient"
        )
    return within


def check_labels(
    domain: Domain, pairs: Sequence[DuplicatePair], listing: Path | None = None
) -> None:
    """Raise InputError if the images of a pair have different labels.

    Args:
        domain: whose index has the labels.
        pairs: of its images.
        listing: a file that lists the pairs.
    """
    labels = domain.index["label"]
    differing = [pair for pair in pairs if labels[pair.first] != labels[pair.second]]
    if differing:
        names = [f"{row.origin} ({row.label})" for row in domain.index.itertuples()]
        raise InputError(
            f"domains.{domain.name}: the same picture has two labels, in "
            f"{counted(len(differing), 'pair')} of images: "
            f"{_describe(differing, names, listing)}; expected one label: "
            f"correct it, or set domains.{domain.name}.split.duplicates to drop, which "
            "leaves out both images"
        )


def describe_pairs(
    pairs: list[DuplicatePair],
    first_names: list[str],
    second_names: list[str],
    limit: int = MAX_LISTED,
) -> str:
    """Return the first pairs in words, with the names of their images."""
    described = []
    for pair in pairs[:limit]:
        first = first_names[pair.first]
        second = second_names[pair.second]
        described.append(f"{first} and {second}, {pair.evidence}")
    more = len(pairs) - limit
    if more > 0:
        described.append(f"and {more} more")
    return "; ".join(described)


def pairs_between(
    domain: Domain,
    rows: np.ndarray,
    other: Domain,
    other_rows: np.ndarray,
    cache: Path | None = None,
) -> list[DuplicatePair]:
    """Find the pairs of one image in some rows of a domain and one in some rows of another.

    The numbers of a pair are those rows. Images of different sizes are no pair. `cache` is that of
    `find_pairs`.
    """
    if domain.images.shape[2:] != other.images.shape[2:]:
        return []
    count = len(rows)
    pairs = []
    for pair in find_pairs((domain, rows), (other, other_rows), cache=cache):
        if pair.first < count <= pair.second:
            first = int(rows[pair.first])
            second = int(other_rows[pair.second - count])
            pairs.append(DuplicatePair(first, second, pair.evidence))
    return pairs


def find_pairs(*selections: Selection, cache: Path | None = None) -> Iterator[DuplicatePair]:
    """Yield the pairs among some rows of a domain, or between those of two domains.

    They are numbered from 0, those of the second domain after those of the first. If several images
    have the same bytes, each is paired with the first of them.

    Args:
        selections: one or two domains with images of one size, and different rows of each.
        cache: a folder where what is computed for each image is kept for further searches.
    """
    fingerprints: list[str] = []
    for domain, rows in selections:
        hashes = domain.index["hash"].to_numpy()
        fingerprints += hashes[rows].tolist()
    first_with_digest: dict[str, int] = {}
    for number, fingerprint in enumerate(fingerprints):
        digest = fingerprint[:DIGITS]
        first = first_with_digest.setdefault(digest, number)
        if first != number:
            yield DuplicatePair(first, number, IDENTICAL)
    numbers = np.array(list(first_with_digest.values()), int)
    if not len(numbers):
        return
    images = Images(selections).only(numbers)
    features = describe_selections(images, cache)
    groups = None
    if len(selections) > 1:
        groups = np.repeat([0, 1], [len(rows) for _, rows in images.selections])
    if images[0].ndim == 3:
        distinct = [fingerprints[number] for number in numbers]
        similar = similar_planes(distinct, images, features.described, groups)
    else:
        similar = similar_volumes(images, features.described, groups)
    found = set()
    for pair in itertools.chain(similar, shifted_copies(images, groups, features.keypoints)):
        first = int(numbers[pair.first])
        second = int(numbers[pair.second])
        if (first, second) not in found:
            found.add((first, second))
            yield DuplicatePair(first, second, pair.evidence)


def _describe(pairs: list[DuplicatePair], names: list[str], listing: Path | None) -> str:
    """The first pairs in words, and the file that lists all of them."""
    if listing is None:
        return describe_pairs(pairs, names, names)
    return f"{describe_pairs(pairs, names, names, MAX_OF_LISTING)}; {listing} lists all pairs"
