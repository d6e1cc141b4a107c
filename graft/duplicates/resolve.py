"""Images that show the same picture are refused, or left out of every part of the split."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from graft.data.domain import Domain
from graft.data.given_split import given_parts
from graft.data.settings import SplitRules
from graft.data.split import check_classes
from graft.duplicates.components import group_images
from graft.duplicates.fingerprints import IDENTICAL, DuplicatePair
from graft.duplicates.pairs import check_duplicates, check_labels

# Of a picture in several given parts the copy in the first of these is kept, so that an official
# test part loses none of its pictures.
KEPT_IN = ("external", "test", "validation", "train")


def resolve_duplicates(
    domain: Domain,
    parts: pd.Series,
    pairs: Sequence[DuplicatePair],
    rules: SplitRules,
    listing: Path | None = None,
) -> pd.Series:
    """Return the parts of a split in which no picture is in two parts.

    Images that are left out have the part "". All others keep their part, because the split was
    drawn with every image. All pairs that are connected make one group. `keep-first` keeps the
    image of a group that comes first in the index, or first in KEPT_IN if parts were given.

    Two images of one patient that are similar but not identical, under two labels, are no pair:
    they may show two lesions.

    Args:
        domain: N images.
        parts: (N,) as they were drawn, "" for samples that no model sees.
        pairs: of the images, as `find_duplicates` returns them.
        rules: of the split.
        listing: a file that lists the pairs, for messages.

    Raises:
        InputError: if a picture has two labels and is not dropped, if it is in two parts and
            `duplicates` is `refuse`, or if a part has no image of a class left.
    """
    pairs = _of_one_lesion(domain.index, pairs)
    if rules.duplicates != "drop":
        check_labels(domain, pairs, listing)
    if rules.duplicates == "refuse":
        check_duplicates(domain, parts, pairs, listing)
        return parts
    given = given_parts(domain.name, domain.index, rules.external)
    rank = given.map({part: number for number, part in enumerate(KEPT_IN)})  # NaN, if none, is last
    table = pd.DataFrame({"group": group_images(pairs, len(parts)), "rank": rank})
    kept = ~table["group"].duplicated(keep=False)
    if rules.duplicates == "keep-first":
        in_order = table.sort_values("rank", kind="stable")
        kept[in_order.index[~in_order["group"].duplicated()]] = True
    resolved = parts.where(kept, "")
    check_classes(domain.name, domain.index, resolved, domain.classes, set(parts))
    return resolved


def _of_one_lesion(index: pd.DataFrame, pairs: Sequence[DuplicatePair]) -> list[DuplicatePair]:
    """Return the pairs without those that may show two lesions of one patient."""
    patients = index["patient"].to_numpy()
    labels = index["label"].to_numpy()
    kept = []
    for pair in pairs:
        of_one_patient = patients[pair.first] == patients[pair.second]
        of_two_labels = labels[pair.first] != labels[pair.second]
        if pair.evidence == IDENTICAL or not (of_one_patient and of_two_labels):
            kept.append(pair)
    return kept
