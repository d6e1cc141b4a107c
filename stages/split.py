"""Divide the patients of one domain into train, validation, test and external."""

from typing import Annotated

import pandas as pd
import typer
from pydantic import Field

from graft.common.parameters import Section, read_parameters
from graft.common.vocabulary import PARTS
from graft.console import run, say
from graft.data.domain import Domain
from graft.data.settings import SplitRules
from graft.data.split import assign_parts, write_split
from graft.duplicates.fingerprints import DuplicatePair
from graft.duplicates.pairs import check_duplicates
from stages import paths


class Parameters(Section):
    """What this stage reads of params.yaml."""

    rules: SplitRules = Field(alias="domains.${key}.split")
    seed: int


def main(name: Annotated[str, typer.Argument(help="a key of `domains`")]) -> None:
    """Write data/splits/<name>.csv, and print the patients and lesions of each part."""
    file = paths.split(name)
    parameters = read_parameters(Parameters, paths.PARAMETERS, name)
    domain = Domain.read(paths.processed(name))
    parts = assign_parts(name, domain.index, domain.classes, parameters.rules, parameters.seed)
    pairs = check_duplicates(domain, parts)  # before any training on the domain
    write_split(file, parts, domain.index)
    report_parts(domain, parts)
    report_duplicates(domain, pairs)


def report_parts(domain: Domain, parts: pd.Series) -> None:
    """Print the patients and lesions by part and class, and those whose labels are not used."""
    heading = "".join(f"{label:>28}" for label in (*domain.classes, "all"))
    say(f"{domain.name:12}{heading}")
    for part in (*PARTS, ""):
        rows = domain.index[parts == part]
        if rows.empty:
            continue
        line = f"{part or 'label unused':12}"
        for label in domain.classes:
            line += f"{domain.count(rows[rows['label'] == label]):>28}"
        say(f"{line}{domain.count(rows):>28}")


def report_duplicates(domain: Domain, pairs: list[DuplicatePair]) -> None:
    """Print how many pairs of images within a part show the same picture."""
    if not pairs:
        return
    line = f"{domain.name}: {len(pairs)} pairs of images are the same picture within a part"
    if domain.patients_known:
        patient = domain.index["patient"]
        of_two = sum(patient[pair.first] != patient[pair.second] for pair in pairs)
        line += f", {of_two} of them of two patients"
    say(line)


if __name__ == "__main__":
    run(main)
