"""Divide one domain's patients into parts: `python -m stages.split lung`."""

from pathlib import Path

import pandas as pd

from graft.common.vocabulary import PARTS
from graft.config import load
from graft.console import run, say
from graft.data.domain import Domain
from graft.data.split import assign_parts, write_split
from graft.duplicates.pairs import Pair, check_duplicates


def main(name: str) -> None:
    """Write `data/splits/<name>.csv`, and say how many patients and lesions of each class each part has."""
    rules, seed = load.read(f"domains.{name}.split", "seed")
    domain = Domain.read(Path("data/processed") / name)
    parts = assign_parts(name, domain.index, domain.classes, rules, seed)
    pairs = check_duplicates(domain, parts)  # early: nothing shall learn from a domain that leaks
    write_split(Path(f"data/splits/{name}.csv"), parts)
    report(domain, parts, pairs)


def report(domain: Domain, parts: pd.Series, pairs: list[Pair]) -> None:
    """Say the patients and lesions by part and class, how many were left out, and which images are there twice."""
    say(f"{domain.name:12}" + "".join(f"{label:>28}" for label in (*domain.classes, "all")))
    for part in (*PARTS, ""):
        rows = domain.index[parts == part]
        if len(rows):
            cells = (*(rows[rows["label"] == label] for label in domain.classes), rows)
            counts = (
                f"{cell['patient'].nunique()} patients, {len(cell)} lesions" for cell in cells
            )
            say(f"{part or 'label unused':12}" + "".join(f"{count:>28}" for count in counts))
    if pairs:
        patient = domain.index["patient"]
        others = sum(patient[pair.one] != patient[pair.other] for pair in pairs)
        count = f"{len(pairs)} pairs of images are the same picture within a part"
        say(f"{domain.name}: {count}, {others} of them of two patients")


if __name__ == "__main__":
    run(main)
