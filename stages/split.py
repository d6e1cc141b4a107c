"""Divide the patients of one domain into train, validation, test and external."""

from typing import Annotated

import typer
from pydantic import Field

from graft.common.parameters import Section, read_parameters
from graft.console import run, say
from graft.data.domain import Domain
from graft.data.folds import assign_folds
from graft.data.settings import SplitRules
from graft.data.split import assign_parts, write_split
from graft.duplicates.components import join_patients
from graft.duplicates.listing import read_file_names, write_pairs
from graft.duplicates.pairs import find_duplicates
from graft.duplicates.resolve import resolve_duplicates
from graft.duplicates.split_lines import duplicate_lines, part_lines, validation_lines
from stages import paths


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
    lines = (*part_lines(domain, parts, drawn), *validation_lines(domain, parts, rules))
    for line in (*lines, *duplicate_lines(domain, parts, pairs)):
        say(line)
    if pairs:
        left_out = f"{(parts != drawn).sum()} duplicates left out ({rules.duplicates})"
        say(f"{name}: {left_out}; {listing} lists all pairs")


if __name__ == "__main__":
    run(main)
