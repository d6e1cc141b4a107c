"""Leaks from the training data of one domain to the data of another."""

from pathlib import Path

import pandas as pd

from graft.common.files import InputError
from graft.common.vocabulary import PARTS, TESTS
from graft.duplicates.pairs import describe_pairs, pairs_between
from graft.leakage.rows import (
    UNKNOWN_PATIENTS,
    CheckRow,
    across_names,
    counted,
    first_few,
    passed_check,
)
from graft.leakage.split_domain import SplitDomain

TRAINING_PARTS = ("train", "validation")  # of the source
EVALUATING_PARTS = ("validation", *TESTS)  # of the target


def check_across(
    source: SplitDomain,
    target: SplitDomain,
    everybody: bool = False,
    trains: bool = True,
    cache: Path | None = None,
) -> list[CheckRow]:
    """Check what a model of the target could have seen when it was trained on the source.

    No patient of the source's training may evaluate a model of the target. The validation part of
    the target counts as evaluation: it decides when training stops and which model is chosen.
    Without one the training part does, because the model is chosen by out-of-fold predictions, and
    every network of a fold starts from the one of the source.

    No image of the source's training may be in any part of the target. In a test part it would be
    a leak. In the training part, a gain would come from more training on the same image, not from
    another organ.

    Args:
        source: whose training and validation parts train a model.
        target: whose training part trains another model, and whose other parts evaluate it.
        everybody: whether the target's training part evaluates too, because
            cross-validation tests all its patients.
        trains: whether a network is trained on the source. If not, an image of it may also be in
            the training part of the target.
        cache: a folder, see `graft.duplicates.pairs.find_pairs`.

    Returns:
        A row for each check.

    Raises:
        InputError: if they share such a patient or image.
    """
    if trains and not len(target.rows("validation")):
        everybody = True
    used = PARTS if trains or everybody else EVALUATING_PARTS
    return [_check_patients(source, target, everybody), _check_images(source, target, used, cache)]


def check_private_patients(source: SplitDomain, target: SplitDomain) -> CheckRow:
    """Check that no patient of a source with differential privacy is in the target.

    The models of the target train on its patients without privacy, so they could not keep the
    guarantee towards such a patient.

    Raises:
        InputError: if there is one.
    """
    both = _patients(source, *TRAINING_PARTS) & _patients(target, *PARTS)
    names = across_names(source.name, target.name)
    if both:
        raise InputError(
            f"domains.{names}: {counted(len(both), 'patient')} of {_origin(source)} also in "
            f"{target.name}, whose models train without privacy; expected none with "
            "privacy.epsilon: leave their scans out of one of the domains"
        )
    found = "none in both, so every model keeps the guarantee towards the source"
    return passed_check("private patients", names, source.name, found)


def _check_patients(source: SplitDomain, target: SplitDomain, everybody: bool) -> CheckRow:
    evaluating_parts = PARTS if everybody else EVALUATING_PARTS
    trained_on = source.rows(*TRAINING_PARTS)
    patients = source.domain.index["patient"].iloc[trained_on]
    evaluating = _patients(target, *evaluating_parts)
    both = sorted(set(patients) & evaluating)
    if both:
        places = source.places()
        other_places = target.places()
        other_patients = target.domain.index["patient"]
        other_patients = other_patients[target.parts.isin(evaluating_parts)]
        row_of = _first_rows(patients)
        other_row_of = _first_rows(other_patients)
        pairs_of_places = []
        for patient in both:
            place, other_place = places[row_of[patient]], other_places[other_row_of[patient]]
            pairs_of_places.append(f"{place} and {other_place}")
        raise InputError(
            f"domains.{across_names(source.name, target.name)}: {counted(len(both), 'patient')} of "
            f"{_origin(source)} would be used to evaluate a model on {target.name}: "
            f"{first_few(pairs_of_places)}; expected other patients there "
            "(if two people share a number, give them different names)"
        )
    names = across_names(source.name, target.name)
    purpose = f"to evaluate a model on {target.name}"
    if not (source.domain.patients_known and target.domain.patients_known):
        lesions = len(target.rows(*evaluating_parts))
        looked_at = f"{counted(len(trained_on), 'lesion')} for training, {lesions} {purpose}"
        return passed_check("patients across", names, looked_at, UNKNOWN_PATIENTS)
    found = "none in both"
    train_both = set(patients) & _patients(target, *PARTS)
    if train_both:
        found += f"; {counted(len(train_both), 'patient')} in the training of both"
    looked_at = f"{patients.nunique()} for training, {len(evaluating)} {purpose}"
    return passed_check("patients across", names, looked_at, found)


def _check_images(
    source: SplitDomain, target: SplitDomain, parts: tuple[str, ...], cache: Path | None
) -> CheckRow:
    trained_on = source.rows(*TRAINING_PARTS)
    used = target.rows(*parts)
    pairs = pairs_between(source.domain, trained_on, target.domain, used, cache)
    if pairs:
        raise InputError(
            f"domains.{across_names(source.name, target.name)}: {counted(len(pairs), 'image')} of "
            f"{_origin(source)} would be used to train or evaluate a model on {target.name}: "
            f"{describe_pairs(pairs, list(source.places()), list(target.places()))}; "
            "expected other images there, or weights from elsewhere in pretrain.source"
        )
    looked_at = f"{len(trained_on)} for training, {len(used)} of {target.name}"
    found = "none in both, nor a near copy"
    return passed_check("images across", across_names(source.name, target.name), looked_at, found)


def _origin(source: SplitDomain) -> str:
    return f"{source.name} in {' or '.join(TRAINING_PARTS)}"


def _first_rows(patients: pd.Series) -> pd.Series:
    """Return the row of the first lesion of each patient, by patient."""
    first = patients[~patients.duplicated()]
    return pd.Series(first.index, index=first)


def _patients(domain: SplitDomain, *parts: str) -> set[str]:
    """Return the patients of some parts."""
    return set(domain.domain.index["patient"].iloc[domain.rows(*parts)])
