"""Divide one domain's patients into parts: `python -m stages.split lung`."""

from pathlib import Path

import pandas as pd

from graft import duplicates, params, split
from graft.console import run, say
from graft.domain import PARTS, Domain


def main(name: str) -> None:
    """Write `data/splits/<name>.csv`, and say how many patients and lesions of each class each part has."""
    rules, seed = params.read(f"domains.{name}.split", "seed")
    domain = Domain.read(Path("data/processed") / name)
    parts = split.assign(name, domain.index, domain.classes, rules, seed)
    duplicates.check(domain, parts)
    split.write(Path(f"data/splits/{name}.csv"), parts)
    report(domain, parts)


def report(domain: Domain, parts: pd.Series) -> None:
    """Say the patients and lesions by part and class, and how many were left out."""
    say(f"{domain.name:12}" + "".join(f"{label:>28}" for label in (*domain.classes, "all")))
    for part in (*PARTS, ""):
        rows = domain.index[parts == part]
        if len(rows):
            cells = (*(rows[rows["label"] == label] for label in domain.classes), rows)
            counts = (f"{cell['patient'].nunique()} patients, {len(cell)} lesions" for cell in cells)
            say(f"{part or 'label unused':12}" + "".join(f"{count:>28}" for count in counts))


if __name__ == "__main__":
    run(main)
