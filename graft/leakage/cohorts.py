"""Leaks of what a model may know into what it is tested on, looked for before anything is learnt on the target.

Kaufman et al., "Leakage in data mining", KDD 2011; Kapoor and Narayanan, "Leakage and the reproducibility crisis in
machine-learning-based science", Patterns 4 (2023). A leak raises InputError; else each check leaves a row.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from graft.common.files import InputError
from graft.common.vocabulary import PARTS, TESTS
from graft.data.domain import Domain
from graft.data.settings import SplitRules
from graft.data.split import assign_parts, check_classes, check_patients, read_split
from graft.duplicates.pairs import check_duplicates, describe_pairs, pairs_between
from graft.leakage.rows import Row, count, first, passed

NORMALISED = {  # in none of these ways is anything fitted over samples
    "window": "one window of raw intensities for all scans",
    "percentile": "by each scan's own percentiles",
    "zscore": "by each scan's own mean and deviation",
}
ABOUT = {
    "patch",
    "spacing",
    "window",
    "intensity",
    "size",
}  # that domain.json says of how images were made
LEARNS, JUDGES = ("train", "validation"), ("validation", *TESTS)


@dataclass(frozen=True)
class Cohort:
    """A domain, the part of each of its N samples ("" where no model sees it) and the rules of its split, if known."""

    domain: Domain
    parts: pd.Series
    rules: SplitRules | None = None

    @classmethod
    def read(cls, folder: Path, split_file: Path, rules: SplitRules | None = None) -> "Cohort":
        """Read a processed domain and its split; raises InputError where they are broken."""
        domain = Domain.read(folder)
        parts = pd.Series("", index=domain.index.index)
        for part, rows in read_split(split_file, domain.index).items():
            parts.iloc[rows] = part
        return cls(domain, parts, rules)

    def rows(self, *parts: str) -> np.ndarray:
        """The rows of these parts."""
        return np.flatnonzero(self.parts.isin(parts))

    def where(self) -> list[str]:
        """The origin and the part of each sample, in words."""
        return [
            f"{origin} ({part or 'unused'})"
            for origin, part in zip(self.domain.index["origin"], self.parts)
        ]


def within(cohort: Cohort, seed: int) -> list[Row]:
    """Everything that can leak within one domain whose rules are known."""
    return [
        _patients(cohort),
        _images(cohort),
        _given(cohort),
        _external(cohort),
        _classes(cohort),
        _drawn(cohort, seed),
        _normalised(cohort),
    ]


def across(source: Cohort, target: Cohort, everybody: bool = False) -> list[Row]:
    """What can leak from what is learnt of one domain, its training and validation parts, into the tests of another.

    The validation part of the target counts as one of these: it decides when to stop and which model is chosen. With
    `everybody` its training part does too, whose patients cross-validation tests in their turn.
    """
    learnt, judged = source.rows(*LEARNS), target.rows(*(PARTS if everybody else JUDGES))
    names = f"{source.domain.name} and {target.domain.name}"
    said = f"{source.domain.name} in {' or '.join(LEARNS)}"
    ours, theirs = (
        source.domain.index["patient"].iloc[learnt],
        target.domain.index["patient"].iloc[judged],
    )
    places, others = source.where(), target.where()
    if both := sorted(set(ours) & set(theirs)):
        pairs = [
            (ours.index[ours == patient][0], theirs.index[theirs == patient][0]) for patient in both
        ]
        told = first(f"{places[one]} and {others[other]}" for one, other in pairs)
        raise InputError(
            f"domains.{names}: {count(len(both), 'patient')} of {said} would judge a model on "
            f"{target.domain.name}: {told}; "
            "expected other patients there (give two people who share a number names of their own)"
        )
    if pairs := pairs_between(source.domain, learnt, target.domain, judged):
        raise InputError(
            f"domains.{names}: {count(len(pairs), 'image')} of {said} would judge a model on {target.domain.name}: "
            f"{describe_pairs(pairs, places, others)}; expected other images there"
        )
    patients = f"{ours.nunique()} learnt from, {theirs.nunique()} that judge a model on {target.domain.name}"
    images = f"{len(learnt)} learnt from, {len(judged)} that judge a model on {target.domain.name}"
    return [
        passed("patients across", names, patients, "none in both"),
        passed("images across", names, images, "none in both, nor a near copy"),
    ]


def _patients(cohort: Cohort) -> Row:
    used = cohort.domain.index[cohort.parts != ""]
    parts = cohort.parts[cohort.parts != ""]
    check_patients(f"domains.{cohort.domain.name}", used, parts)
    looked_at = f"{count(used['patient'].nunique(), 'patient')} in {count(parts.nunique(), 'part')}"
    return passed("patients", cohort.domain.name, looked_at, "none in two parts")


def _images(cohort: Cohort) -> Row:
    pairs = check_duplicates(cohort.domain, cohort.parts)
    found = "none in two parts, nor a near copy" + (
        f"; {count(len(pairs), 'pair')} within a part" if pairs else ""
    )
    return passed("images", cohort.domain.name, f"{len(cohort.rows(*PARTS))} images", found)


def _given(cohort: Cohort) -> Row:
    """A split that comes with the data is kept, so that scores can be held against those of others."""
    given, name = cohort.domain.index["split"], cohort.domain.name
    own = (given != "") & (cohort.domain.index["site"] != cohort.rules.external)
    allowed = (cohort.parts == given) | ((cohort.parts == "") & given.isin(LEARNS))
    if (moved := own & ~allowed).any():
        told = first(
            f"{place}, given {split}"
            for place, split in zip(np.array(cohort.where())[moved], given[moved])
        )
        raise InputError(
            f"domains.{name}: {count(moved.sum(), 'lesion')} left the part that the data gives: {told}; "
            "expected the given split"
        )
    found = "each in the part that it came with" if own.any() else "no split came with the data"
    return passed("given split", name, f"{count(own.sum(), 'lesion')} with a given split", found)


def _external(cohort: Cohort) -> Row:
    """The site held out is whole, and the external part holds nothing else."""
    index, site, name = cohort.domain.index, cohort.rules.external, cohort.domain.name
    if site is None:
        return passed(
            "external site", name, f"domains.{name}.split.external", "no site is held out"
        )
    here, part = index["site"] == site, cohort.parts == "external"
    wrong = (here & ~part) | (
        part & ~here & (index["split"] != "external")
    )  # where the data itself says external
    if wrong.any():
        places = first(
            f"{place} of {of}"
            for place, of in zip(np.array(cohort.where())[wrong], index["site"][wrong])
        )
        raise InputError(
            f"domains.{name}: {count(wrong.sum(), 'lesion')} on the wrong side of the external site {site!r}: "
            f"{places}; expected "
            "all of that site in the part external and nobody else"
        )
    found = f"all of {site} in the part external, none elsewhere"
    return passed("external site", name, f"{count(here.sum(), 'lesion')} of {site}", found)


def _classes(cohort: Cohort) -> Row:
    domain = cohort.domain
    check_classes(domain.name, domain.index, cohort.parts, domain.classes)
    looked_at = f"{len(domain.classes)} classes in {count(cohort.parts[cohort.parts != ''].nunique(), 'part')}"
    return passed("classes", domain.name, looked_at, "every class in every part")


def _drawn(cohort: Cohort, seed: int) -> Row:
    """Nobody was moved after the draw: no label beyond the share `labelled` is used, no hard test case is left out."""
    domain = cohort.domain
    drawn = assign_parts(domain.name, domain.index, domain.classes, cohort.rules, seed)
    if (moved := drawn != cohort.parts).any():
        places = zip(np.array(cohort.where())[moved], drawn[moved])
        told = first(f"{place}, drawn {part or 'unused'}" for place, part in places)
        raise InputError(
            f"domains.{domain.name}: {count(moved.sum(), 'lesion')} not in the part that the rules and the "
            f"seed draw: {told}; "
            "expected the split as the stage split leaves it"
        )
    unused = int((cohort.parts == "").sum())
    found = f"as the rules and the seed draw them; {count(unused, 'label')} unused, in no part"
    return passed("drawn parts", domain.name, count(len(drawn), "lesion"), found)


def _normalised(cohort: Cohort) -> Row:
    """Intensities were normalised by constants or within each scan: nothing was fitted over samples."""
    about, name = cohort.domain.preprocessing, cohort.domain.name
    if unknown := sorted(set(about) - ABOUT):
        raise InputError(
            f"domains.{name}: domain.json has {', '.join(unknown)}, of which nobody knows what it was fitted "
            "on; expected "
            f"{', '.join(sorted(ABOUT))} alone"
        )
    if about.get("intensity") not in NORMALISED or len(about.get("window", ())) != 2:
        raise InputError(
            f"domains.{name}: domain.json says that images were normalised by {about.get('intensity')!r} and "
            f"{about.get('window')}, expected {', '.join(NORMALISED)} with two ends, which fit nothing over samples"
        )
    looked_at = f"intensity {about['intensity']}, window {about['window']}"
    return passed(
        "normalisation",
        name,
        looked_at,
        f"{NORMALISED[about['intensity']]}; nothing fitted over samples",
    )
