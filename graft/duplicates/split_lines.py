"""What a split is, in printed lines: its parts, who validates, and images of one picture."""

from collections.abc import Iterator, Sequence

import pandas as pd

from graft.common.shown import counted
from graft.common.vocabulary import PARTS
from graft.data.domain import Domain
from graft.data.settings import SplitRules
from graft.duplicates.fingerprints import DuplicatePair
from graft.duplicates.pairs import check_duplicates

# Labelled patients below which `split` advises to hold none back. With 20, a third who validated
# cost AUROC (docs/evaluation.md). With 50, a validation part of 15 % has about 7 patients, too few
# to choose by. Between the two, nothing was measured.
FEW = 50


def part_lines(domain: Domain, parts: pd.Series, drawn: pd.Series) -> Iterator[str]:
    """Yield a table of the patients and lesions by part and class, and of those in no part.

    Args:
        domain: N lesions.
        parts: (N,)
        drawn: (N,) the parts with duplicates.
    """
    heading = "".join(f"{label:>28}" for label in (*domain.classes, "all"))
    yield f"{domain.name:12}{heading}"
    shown = parts.mask(drawn == "", "label unused").mask(parts != drawn, "duplicates")
    for part in (*PARTS, "label unused", "duplicates"):
        rows = domain.index[shown == part]
        if rows.empty:
            continue
        line = f"{part:12}"
        for label in domain.classes:
            line += f"{domain.count(rows[rows['label'] == label]):>28}"
        yield f"{line}{domain.count(rows):>28}"


def validation_lines(domain: Domain, parts: pd.Series, rules: SplitRules) -> Iterator[str]:
    """Yield what takes the place of a validation part, or whether it should rather train.

    Args:
        domain: N lesions.
        parts: (N,)
        rules: of the split.
    """
    index = domain.index
    labelled = index["patient"][parts.isin(("train", "validation"))].nunique()
    if not (parts == "validation").any():
        yield (
            f"{domain.name}: none of {domain.count(index[parts == 'train'])} validate. All train, "
            f"for a fixed number of epochs; of the target, also outside of each of {rules.folds} "
            "folds, whose predictions give thresholds and the choice of the model"
        )
    elif labelled < FEW and not (index["split"] == "validation").any():
        yield (
            f"{domain.name}: only {labelled} patients have labels to train and to validate on; "
            f"domains.{domain.name}.split.validation: 0 lets all of them train"
        )


def duplicate_lines(
    domain: Domain, parts: pd.Series, pairs: Sequence[DuplicatePair]
) -> Iterator[str]:
    """Yield how many pairs of images within a part show the same picture, if there are any."""
    within = check_duplicates(domain, parts, pairs)
    if not within:
        return
    pairs_within = counted(len(within), "pair")
    line = f"{domain.name}: {pairs_within} of images with the same picture within a part"
    if domain.patients_known:
        patient = domain.index["patient"]
        of_two = sum(patient[pair.first] != patient[pair.second] for pair in within)
        line += f", {of_two} of them of two patients"
    yield line
