"""Make images of one domain: read, orient, resample, window and crop its raw data."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from pydantic import Field

from graft.common.files import whole_folder
from graft.common.parameters import Section, read_parameters
from graft.common.vocabulary import PUBLISHED_KEYS
from graft.console import run, say
from graft.data.domain import Domain, fill_folder
from graft.duplicates.listing import write_file_names
from graft.ingest.manifest import Storage
from graft.ingest.read import read_raw_domain
from graft.ingest.settings import Preprocess, RawDomain
from graft.keys.settings import PseudonymKey
from stages import paths


class Parameters(Section):
    """What this stage reads of params.yaml."""

    domain: RawDomain = Field(alias="domains.${key}")
    preprocess: Preprocess
    privacy: PseudonymKey


def main(name: Annotated[str, typer.Argument(help="a key of `domains`")]) -> None:
    """Write data/processed/<name>, and print what is in it."""
    folder = paths.processed(name)
    parameters = read_parameters(Parameters, paths.PARAMETERS, name)
    with whole_folder(folder) as partial:
        domain = read_raw_domain(
            name,
            parameters.domain,
            parameters.preprocess,
            parameters.privacy,
            synthetic=paths.is_phantom(Path(parameters.domain.path)),
            storage=Storage(paths.scans(name), partial),
        )
        fill_folder(partial, domain)
    write_file_names(paths.file_names(name), domain)
    report_counts(domain)
    report_columns(domain)
    report_size(domain)
    report_key(domain)


def report_counts(domain: Domain) -> None:
    """Print the lesions and patients by class, site, given split and subgroup."""
    index = domain.index
    say(f"{domain.name}: {domain.count(index)}, images {domain.images.shape[1:]}")
    for column in ("label", "site", "split"):
        for value, rows in index.groupby(column):
            if value:
                say(f"  {column} {value}: {domain.count(rows)}")
    if domain.groups is None:
        return
    for column in domain.groups:
        counts = domain.groups[column].replace("", "unknown").value_counts().sort_index()
        shown = ", ".join(f"{value} {count}" for value, count in counts.items())
        say(f"  {column}: {shown}")


def report_columns(domain: Domain) -> None:
    """Print how many lesions have a value of each covariate and of each task."""
    lesions = len(domain.index)
    tables = (
        ("covariate", domain.kinds, domain.covariates),
        ("task", domain.task_kinds, domain.tasks),
    )
    for noun, kinds, table in tables:
        for column, kind in kinds.items():
            missing = 0 if table is None else int((table[column] == "").sum())
            known = f"{lesions - missing} of {lesions} lesions, {missing} missing"
            say(f"  {noun} {column} ({kind}): {known}")


def report_size(domain: Domain) -> None:
    """Print how well size alone separates two classes."""
    if len(domain.classes) != 2:
        return
    disease = domain.classes[1]
    is_diseased = domain.index["label"] == disease
    sizes = domain.index["size"]
    # The share of pairs in which the diseased lesion is larger (Hanley and McNeil 1982). To import
    # scikit-learn for it would take a second.
    others = np.sort(sizes[~is_diseased])
    below = np.searchsorted(others, sizes[is_diseased], "left")
    not_above = np.searchsorted(others, sizes[is_diseased], "right")
    auroc = (below + not_above).mean() / 2 / len(others)
    measured = domain.preprocessing["size"]
    say(f"  size alone ({measured}) has AUROC {auroc:.3f} for {disease}")


def report_key(domain: Domain) -> None:
    """Print that the key of the pseudonyms is the published one, if it is."""
    if domain.patient_key in PUBLISHED_KEYS:
        say(f"  pseudonyms: {PUBLISHED_KEYS[domain.patient_key]}")


if __name__ == "__main__":
    run(main)
