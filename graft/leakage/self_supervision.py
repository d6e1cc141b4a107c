"""The images for self-supervision, none of which may evaluate a model.

A network that has learned from a test image without its label is adapted to that image. Its score
there would be that of transductive learning, and not that of new patients.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from graft.common.files import InputError
from graft.common.vocabulary import PARTS, SELF_SUPERVISION, TESTS
from graft.data.settings import SplitRules
from graft.duplicates.fingerprints import DIGITS
from graft.duplicates.pairs import pairs_between
from graft.leakage.rows import CheckRow, counted, first_few, passed_check
from graft.leakage.split_domain import SplitDomain

JUDGING_PARTS = ("validation", *TESTS)  # they choose or evaluate a model

Selected = list[tuple[SplitDomain, np.ndarray]]  # rows of domains


def select_images(
    seen: Sequence[SplitDomain],
    judging: Sequence[SplitDomain],
    rules: Mapping[str, SplitRules],
    everybody: str | None = None,
    cache: Path | None = None,
) -> tuple[Selected, CheckRow]:
    """Select the images for self-supervision, and check that none of them evaluates a model.

    They are those of the training part, and those in no part, whose labels are not used. The
    validation part is not among them: it decides on epochs, thresholds and models.

    Images in no part may also be there because they are copies of others, unless
    `split.duplicates` is `refuse`. Then those of a patient or picture that evaluates are left out.

    Args:
        seen: the domains whose images are wanted.
        judging: the domains whose patients evaluate models.
        rules: of the splits, by domain.
        everybody: the name of a domain whose training part evaluates too, because
            cross-validation tests all its patients.
        cache: a folder, see `graft.duplicates.pairs.find_pairs`.

    Returns:
        The rows of each domain, and the row of the check.

    Raises:
        InputError: if such an image is of a patient who evaluates a model, or is a copy of an image
            that does.
    """
    selected: Selected = []
    left_out = 0
    for domain in seen:
        unused = np.flatnonzero(domain.parts == "")
        used = np.union1d(domain.rows("train"), unused)
        optional = set() if rules[domain.name].duplicates == "refuse" else set(unused.tolist())
        for other in judging:
            parts = PARTS if other.name == everybody else JUDGING_PARTS
            # check_within compares the parts of one domain with each other.
            compared = np.intersect1d(used, unused) if other.name == domain.name else used
            clashes = _clashes(domain, compared, other, parts, cache)
            _refuse(domain, [words for row, words in clashes.items() if row not in optional])
            used = np.setdiff1d(used, list(clashes))
            left_out += len(clashes)
        selected.append((domain, used))
    return selected, _row(selected, judging, left_out)


def _clashes(
    domain: SplitDomain,
    rows: np.ndarray,
    other: SplitDomain,
    parts: Sequence[str],
    cache: Path | None,
) -> dict[int, str]:
    """Find the rows of a domain with a patient or a picture of some parts of another.

    Returns:
        What was found by row, in words.
    """
    judged = other.rows(*parts)
    places, other_places = domain.places(), other.places()
    index = domain.domain.index
    row_of_patient = dict(zip(other.domain.index["patient"].iloc[judged], judged, strict=True))
    found = {}
    for row, patient in zip(rows.tolist(), index["patient"].iloc[rows], strict=True):
        if patient in row_of_patient:
            found[row] = f"{places[row]} and {other_places[row_of_patient[patient]]}, one patient"
    # Of images with the same bytes, only the first is compared with others.
    copies = index.iloc[rows].groupby(index["hash"].str[:DIGITS]).groups
    for pair in pairs_between(other.domain, judged, domain.domain, rows, cache):
        digest = index["hash"].iloc[pair.second][:DIGITS]
        for row in copies[digest].tolist():
            found[row] = f"{places[row]} and {other_places[pair.first]}, {pair.evidence}"
    return found


def _refuse(domain: SplitDomain, clashes: Sequence[str]) -> None:
    if clashes:
        raise InputError(
            f"domains.{domain.name}: {counted(len(clashes), 'image')} for self-supervision would "
            f"be used to evaluate a model: {first_few(clashes)}; expected other patients and "
            f"images there, or self_supervise.epochs: 0; domains.{domain.name}.split.duplicates: "
            "keep-first leaves unused images out"
        )


def _row(selected: Selected, judging: Sequence[SplitDomain], left_out: int) -> CheckRow:
    names = " and ".join(domain.name for domain, _ in selected)
    images = sum(len(rows) for _, rows in selected)
    judged = sum(len(domain.rows(*JUDGING_PARTS)) for domain in judging)
    looked_at = f"{counted(images, 'image')} to learn from, {judged} to evaluate models"
    found = "no patient and no image in both, nor a near copy"
    if left_out:
        found += f"; {left_out} unused left out, whose patient or picture evaluates"
    return passed_check(SELF_SUPERVISION, names, looked_at, found)
