"""Divide the patients of one domain into train, validation, test and external."""

from typing import Annotated

import pandas as pd
import typer
from pydantic import Field

from graft.common.parameters import Section, read_parameters
from graft.common.shown import counted
from graft.common.vocabulary import PARTS
from graft.console import run, say
from graft.data.domain import Domain
from graft.data.folds import assign_folds
from graft.data.settings import SplitRules
from graft.data.split import assign_parts, write_split
from graft.duplicates.components import join_patients
from graft.duplicates.fingerprints import DuplicatePair
from graft.duplicates.listing import read_file_names, write_pairs
from graft.duplicates.pairs import check_duplicates, find_duplicates
from graft.duplicates.resolve import resolve_duplicates
from stages import paths

FEW = 50  # labelled patients, of which too few would validate


class Parameters(Section):
    """What this stage reads of params.yaml."""

    rules: SplitRules = Field(alias="domains.${key}.split")
    seed: int


def main(name: Annotated[str, typer.Argument(help="a key of `domains`")]) -> None:
    """Write data/splits/<name>.csv, and print the patients and lesions of each part.

    All images that are the same picture are listed in .graft/duplicates/<name>.csv.
    """
    file = paths.split(name)
    parameters = read_parameters(Parameters, paths.PARAMETERS, name)
    domain = Domain.read(paths.processed(name), paths.VERIFIED)
    rules = parameters.rules
    drawn = assign_parts(name, domain.index, domain.classes, rules, parameters.seed)
    pairs = find_duplicates(domain, drawn, paths.FEATURES)
    listing = paths.duplicates(name)
    files = read_file_names(paths.file_names(name), domain)
    write_pairs(listing, domain, drawn, pairs, files)
    # An error here comes before any training on the domain.
    parts = resolve_duplicates(domain, drawn, pairs, rules, listing)
    joined = join_patients(domain.index, parts == "train", pairs)
    folds = assign_folds(name, joined, parts, domain.classes, rules.folds, parameters.seed)
    write_split(file, parts, domain.index, folds)
    report_parts(domain, parts, drawn)
    report_validation(domain, parts, rules)
    if pairs:
        report_duplicates(domain, parts, pairs)
        left_out = f"{(parts != drawn).sum()} duplicates left out ({rules.duplicates})"
        say(f"{name}: {left_out}; {listing} lists all pairs")


def report_parts(domain: Domain, parts: pd.Series, drawn: pd.Series) -> None:
    """Print the patients and lesions by part and class, and those in no part.

    Args:
        domain: N lesions.
        parts: (N,)
        drawn: (N,) the parts with duplicates.
    """
    heading = "".join(f"{label:>28}" for label in (*domain.classes, "all"))
    say(f"{domain.name:12}{heading}")
    shown = parts.mask(drawn == "", "label unused").mask(parts != drawn, "duplicates")
    for part in (*PARTS, "label unused", "duplicates"):
        rows = domain.index[shown == part]
        if rows.empty:
            continue
        line = f"{part:12}"
        for label in domain.classes:
            line += f"{domain.count(rows[rows['label'] == label]):>28}"
        say(f"{line}{domain.count(rows):>28}")


def report_validation(domain: Domain, parts: pd.Series, rules: SplitRules) -> None:
    """Print what takes the place of a validation part, or whether it should rather train.

    Args:
        domain: N lesions.
        parts: (N,)
        rules: of the split.
    """
    index = domain.index
    labelled = index["patient"][parts.isin(("train", "validation"))].nunique()
    if not (parts == "validation").any():
        say(
            f"{domain.name}: none of {domain.count(index[parts == 'train'])} validate. All train, "
            f"for a fixed number of epochs; of the target, also outside of each of {rules.folds} "
            "folds, whose predictions give thresholds and the choice of the model"
        )
    elif labelled < FEW and not (index["split"] == "validation").any():
        say(
            f"{domain.name}: only {labelled} patients have labels to train and to validate on; "
            f"domains.{domain.name}.split.validation: 0 lets all of them train"
        )


def report_duplicates(domain: Domain, parts: pd.Series, pairs: list[DuplicatePair]) -> None:
    """Print how many pairs of images within a part show the same picture."""
    within = check_duplicates(domain, parts, pairs)
    if not within:
        return
    pairs_within = counted(len(within), "pair")
    line = f"{domain.name}: {pairs_within} of images with the same picture within a part"
    if domain.patients_known:
        patient = domain.index["patient"]
        of_two = sum(patient[pair.first] != patient[pair.second] for pair in within)
        line += f", {of_two} of them of two patients"
    say(line)


if __name__ == "__main__":
    run(main)
