"""Leaks within one domain, from what a model is trained on to what it is evaluated on.

Kaufman et al., "Leakage in data mining", KDD 2011; Kapoor and Narayanan, "Leakage and the
reproducibility crisis in machine-learning-based science", Patterns 4 (2023). A leak raises
InputError; otherwise each check returns a row.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from graft.common.files import InputError
from graft.common.shown import counted
from graft.common.vocabulary import PARTS
from graft.data.folds import assign_folds
from graft.data.repeats import pool_for_cross_validation
from graft.data.settings import SplitRules
from graft.data.split import assign_parts, check_classes, check_patients
from graft.duplicates.components import join_patients
from graft.duplicates.fingerprints import DuplicatePair
from graft.duplicates.pairs import check_duplicates, find_duplicates
from graft.duplicates.resolve import resolve_duplicates
from graft.leakage.rows import UNKNOWN_PATIENTS, CheckRow, first_few, passed_check
from graft.leakage.split_domain import SplitDomain

NORMALISED = {  # none of these fits anything over samples
    "window": "one window of raw intensities for all scans",
    "percentile": "by each scan's own percentiles",
    "zscore": "by each scan's own mean and deviation",
}
PREPROCESSING_KEYS = {"patch", "spacing", "window", "intensity", "size"}  # of domain.json


def check_within(
    domain: SplitDomain,
    rules: SplitRules,
    seed: int,
    cache: Path | None = None,
    cross_validated: bool = False,
) -> list[CheckRow]:
    """Check everything that can leak within one domain.

    Args:
        domain: with its split.
        rules: of the split.
        seed: of the split.
        cache: a folder, see `graft.duplicates.pairs.find_pairs`.
        cross_validated: whether a cross-validation divides the patients again.

    Returns:
        A row for each check.

    Raises:
        InputError: if there is a leak.
    """
    patients = _check_patients(domain)
    data = domain.domain
    pairs = find_duplicates(data, domain.parts, cache)
    drawn = assign_parts(domain.name, data.index, data.classes, rules, seed)
    expected = resolve_duplicates(data, drawn, pairs, rules)
    removed = expected != drawn
    rows = [
        patients,
        _check_images(domain, pairs, rules, removed),
        _check_given_split(domain, rules, removed),
        _check_external_site(domain, rules, removed),
        _check_classes(domain),
        _check_drawn_parts(domain, expected, removed),
        _check_normalisation(domain),
    ]
    _check_drawn_folds(domain, pairs, rules, seed)
    if cross_validated:
        _check_divided_again(domain, pairs)
    return rows


def _check_patients(domain: SplitDomain) -> CheckRow:
    used = domain.parts != ""
    index = domain.domain.index[used]
    parts = domain.parts[used]
    check_patients(f"domains.{domain.name}", index, parts)
    number_of_parts = counted(parts.nunique(), "part")
    if not domain.domain.patients_known:
        looked_at = f"{counted(len(index), 'lesion')} in {number_of_parts}"
        return passed_check("patients", domain.name, looked_at, UNKNOWN_PATIENTS)
    patients = counted(index["patient"].nunique(), "patient")
    looked_at = f"{patients} in {number_of_parts}"
    return passed_check("patients", domain.name, looked_at, "none in two parts")


def _check_images(
    domain: SplitDomain, pairs: list[DuplicatePair], rules: SplitRules, removed: pd.Series
) -> CheckRow:
    within = check_duplicates(domain.domain, domain.parts, pairs)
    found = "none in two parts, nor a near copy"
    if within:
        found += f"; {counted(len(within), 'pair')} within a part"
    if rules.duplicates != "refuse":
        found += f"; {counted(int(removed.sum()), 'duplicate')} left out ({rules.duplicates})"
    return passed_check("images", domain.name, counted(len(domain.rows(*PARTS)), "image"), found)


def _check_given_split(domain: SplitDomain, rules: SplitRules, removed: pd.Series) -> CheckRow:
    """A split that comes with the data must stay, so that scores can be compared with others'.

    The share `labelled` may remove samples of training and validation. Duplicates may be left out
    of every part. Without a validation part, samples of training become it.
    """
    index = domain.domain.index
    given = index["split"]
    has_split = (given != "") & (index["site"] != rules.external)
    unlabelled = (domain.parts == "") & given.isin(("train", "validation"))
    validates = (domain.parts == "validation") & (given == "train")
    if (given == "validation").any():
        validates[:] = False
    moved = has_split & (domain.parts != given) & ~unlabelled & ~removed & ~validates
    if moved.any():
        examples = []
        for place, part in zip(domain.places()[moved], given[moved], strict=True):
            examples.append(f"{place}, given {part}")
        raise InputError(
            f"domains.{domain.name}: {counted(moved.sum(), 'lesion')} left the part "
            f"that the data gives: {first_few(examples)}; expected the given split"
        )
    looked_at = f"{counted(has_split.sum(), 'lesion')} with a given split"
    found = "no split came with the data"
    if has_split.any():
        found = "each in the part that it came with"
    if validates.any():
        found += f", except {validates.sum()} of train that became the validation part"
    return passed_check("given split", domain.name, looked_at, found)


def _check_external_site(domain: SplitDomain, rules: SplitRules, removed: pd.Series) -> CheckRow:
    """The external part must have all of the external site, and nothing else.

    Exceptions are samples that the data itself assigns to the external part, and duplicates that
    are left out.
    """
    site = rules.external
    if site is None:
        key = f"domains.{domain.name}.split.external"
        return passed_check("external site", domain.name, key, "no site is held out")
    index = domain.domain.index
    at_site = index["site"] == site
    external = domain.parts == "external"
    given = index["split"] == "external"
    wrong = (at_site & ~external & ~removed) | (external & ~at_site & ~given)
    if wrong.any():
        examples = []
        for place, its_site in zip(domain.places()[wrong], index["site"][wrong], strict=True):
            examples.append(f"{place} of {its_site}")
        raise InputError(
            f"domains.{domain.name}: {counted(wrong.sum(), 'lesion')} on the wrong side "
            f"of the external site {site!r}: {first_few(examples)}; "
            "expected all of that site in the part external and no other site there"
        )
    looked_at = f"{counted(at_site.sum(), 'lesion')} of {site}"
    found = f"all of {site} in the part external, none elsewhere"
    return passed_check("external site", domain.name, looked_at, found)


def _check_classes(domain: SplitDomain) -> CheckRow:
    classes = domain.domain.classes
    check_classes(domain.name, domain.domain.index, domain.parts, classes, set(domain.parts))
    parts = domain.parts[domain.parts != ""].nunique()
    looked_at = f"{len(classes)} classes in {counted(parts, 'part')}"
    return passed_check("classes", domain.name, looked_at, "every class in every part")


def _check_drawn_parts(domain: SplitDomain, drawn: pd.Series, removed: pd.Series) -> CheckRow:
    """No sample may have moved after the draw.

    Otherwise labels beyond the share `labelled` could be used, or hard test cases left out.
    """
    moved = drawn != domain.parts
    if moved.any():
        examples = []
        for place, part in zip(domain.places()[moved], drawn[moved], strict=True):
            examples.append(f"{place}, drawn {part or 'unused'}")
        raise InputError(
            f"domains.{domain.name}: {counted(moved.sum(), 'lesion')} not in the part "
            f"that the rules and the seed draw: {first_few(examples)}; "
            "expected the split as the stage split left it"
        )
    unused = counted(int((domain.parts[~removed] == "").sum()), "label")
    found = f"as the rules and the seed draw them; {unused} unused, in no part"
    if domain.folds.any():
        found += f"; train in {domain.folds.max()} folds"
    return passed_check("drawn parts", domain.name, counted(len(drawn), "lesion"), found)


def _check_drawn_folds(
    domain: SplitDomain, pairs: list[DuplicatePair], rules: SplitRules, seed: int
) -> None:
    """No sample may have moved to another fold, or a patient or a picture be in two."""
    data = domain.domain
    joined = join_patients(data.index, domain.parts == "train", pairs)
    drawn = assign_folds(domain.name, joined, domain.parts, data.classes, rules.folds, seed)
    moved = drawn != domain.folds
    if moved.any():
        raise InputError(
            f"domains.{domain.name}: {counted(moved.sum(), 'lesion')} not in the fold that the "
            f"rules and the seed draw: {first_few(domain.places()[moved])}; "
            "expected the split as the stage split left it"
        )


def _check_divided_again(domain: SplitDomain, pairs: list[DuplicatePair]) -> None:
    """No two patients whom a cross-validation divides may share a picture.

    Its folds are drawn by patient. A network would be tested on a picture that it was trained on.
    """
    index = domain.domain.index
    parts = {part: domain.rows(part) for part in PARTS}
    pool, _ = pool_for_cross_validation(parts, index)
    divided = np.isin(np.arange(len(index)), pool)
    joined = join_patients(index, divided, pairs)
    renamed = divided & (joined["patient"] != index["patient"])
    if renamed.any():
        examples = []
        for patient, other in zip(
            index["patient"][renamed], joined["patient"][renamed], strict=True
        ):
            examples.append(f"{patient} with {other}")
        raise InputError(
            f"domains.{domain.name}: patients share a picture, which two folds of the "
            f"cross-validation may both have: {first_few(dict.fromkeys(examples))}; expected none: "
            f"set domains.{domain.name}.split.duplicates to keep-first or drop, or give both "
            "images one patient"
        )


def _check_normalisation(domain: SplitDomain) -> CheckRow:
    """Intensities must be normalised by constants or within each scan, not over samples."""
    about = domain.domain.preprocessing
    unknown = sorted(set(about) - PREPROCESSING_KEYS)
    if unknown:
        raise InputError(
            f"domains.{domain.name}: domain.json has {', '.join(unknown)}, "
            "which may have been fitted over samples; "
            f"expected only {', '.join(sorted(PREPROCESSING_KEYS))}"
        )
    intensity = about.get("intensity")
    window = about.get("window", ())
    if intensity not in NORMALISED or np.size(window) != 2:
        raise InputError(
            f"domains.{domain.name}: domain.json has the intensity {intensity!r} "
            f"and the window {about.get('window')}, "
            f"expected {', '.join(NORMALISED)} with two ends, which fit nothing over samples"
        )
    looked_at = f"intensity {intensity}, window {window}"
    found = f"{NORMALISED[intensity]}; nothing fitted over samples"
    return passed_check("normalisation", domain.name, looked_at, found)
