"""The audit of self-supervision: which images a network learned from without their labels."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from graft.common.files import InputError
from graft.common.vocabulary import SELF_SUPERVISION
from graft.data.domain import Domain
from graft.leakage.rows import CheckRow, counted, passed_check
from graft.networks.card import read_card
from graft.selfsupervised.without_labels import (
    describe_seen,
    read_images_without_labels,
    rows_without_labels,
)

SplitRows = tuple[Domain, Mapping[str, np.ndarray]]  # a domain and its rows by part


def check_seen_images(
    folder: Path, listing: Path, domains: Sequence[SplitRows], before: Sequence[CheckRow]
) -> CheckRow:
    """Check that a network learned without labels from the listed images, and that none evaluates.

    Args:
        folder: of the model that learned without labels.
        listing: the list of the images.
        domains: the source and the target.
        before: the checks before training.

    Returns:
        The row of the check.

    Raises:
        InputError: if the card names other images than the list, if one of them is of a patient in
            another part than training, or if the check before training is missing.
    """
    if not any(row["name"] == SELF_SUPERVISION for row in before):
        raise InputError(
            f"{folder}: no check {SELF_SUPERVISION!r} came before its training, expected one; run "
            "`dvc repro` again"
        )
    known = {domain.name: (domain, parts) for domain, parts in domains}
    expected = {}
    total = 0
    for name, entry in read_images_without_labels(listing).items():
        if name not in known:
            raise InputError(f"{listing}: has the domain {name!r}, expected {' or '.join(known)}")
        domain, parts = known[name]
        rows = rows_without_labels(listing, entry, domain)
        _check_patients(listing, domain, rows, parts)
        expected[name] = describe_seen(domain, rows)
        total += len(rows)
    found = read_card(folder).get("data")
    if found != expected:
        raise InputError(
            f"{folder / 'card.json'}: learned from other images than those in {listing}, expected "
            f"these {total}, by SHA-256"
        )
    names = " and ".join(expected)
    looked_at = f"{counted(total, 'image')} that {folder.as_posix()} learned from"
    return passed_check("seen images", names, looked_at, "as listed, by SHA-256; none evaluates")


def _check_patients(
    listing: Path, domain: Domain, rows: np.ndarray, parts: Mapping[str, np.ndarray]
) -> None:
    patients = domain.index["patient"].to_numpy()
    seen = set(patients[rows])
    for part, judged in parts.items():
        both = seen & set(patients[judged])
        if part != "train" and both:
            raise InputError(
                f"{listing}: has images of {counted(len(both), 'patient')} in the part {part} of "
                f"{domain.name}, expected only patients of train and of no part"
            )
