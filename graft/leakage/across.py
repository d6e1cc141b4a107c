"""Leaks from the training data of one domain to the test data of another."""

from graft.common.files import InputError
from graft.common.vocabulary import PARTS, TESTS
from graft.duplicates.pairs import describe_pairs, pairs_between
from graft.leakage.rows import CheckRow, across_names, counted, first_few, passed_check
from graft.leakage.split_domain import SplitDomain

TRAINING_PARTS = ("train", "validation")  # of the source
EVALUATING_PARTS = ("validation", *TESTS)  # of the target


def check_across(
    source: SplitDomain, target: SplitDomain, everybody: bool = False
) -> list[CheckRow]:
    """Check that source and target share no patient and no image between training and evaluation.

    The validation part of the target counts as evaluation: it decides when training stops and
    which model is chosen.

    Args:
        source: whose training and validation parts train a model.
        target: whose validation and test parts evaluate it.
        everybody: whether the target's training part evaluates too, because
            cross-validation tests all its patients.

    Returns:
        A row for each check.

    Raises:
        InputError: if they share a patient or an image.
    """
    trained_on = source.rows(*TRAINING_PARTS)
    evaluated_on = target.rows(*(PARTS if everybody else EVALUATING_PARTS))
    patients = source.domain.index["patient"].iloc[trained_on]
    other_patients = target.domain.index["patient"].iloc[evaluated_on]
    places = source.places()
    other_places = target.places()
    names = across_names(source.name, target.name)
    origin = f"{source.name} in {' or '.join(TRAINING_PARTS)}"
    purpose = f"would be used to evaluate a model on {target.name}"

    both = sorted(set(patients) & set(other_patients))
    if both:
        pairs_of_places = []
        for patient in both:
            row = patients.index[patients == patient][0]
            other = other_patients.index[other_patients == patient][0]
            pairs_of_places.append(f"{places[row]} and {other_places[other]}")
        raise InputError(
            f"domains.{names}: {counted(len(both), 'patient')} of {origin} {purpose}: "
            f"{first_few(pairs_of_places)}; expected other patients there "
            "(if two people share a number, give them different names)"
        )

    pairs = pairs_between(source.domain, trained_on, target.domain, evaluated_on)
    if pairs:
        raise InputError(
            f"domains.{names}: {counted(len(pairs), 'image')} of {origin} {purpose}: "
            f"{describe_pairs(pairs, list(places), list(other_places))}; "
            "expected other images there"
        )

    looked_at = "{} for training, {} to evaluate a model on {}"
    numbers = (patients.nunique(), other_patients.nunique())
    lesions = (len(trained_on), len(evaluated_on))
    return [
        passed_check(
            "patients across", names, looked_at.format(*numbers, target.name), "none in both"
        ),
        passed_check(
            "images across",
            names,
            looked_at.format(*lesions, target.name),
            "none in both, nor a near copy",
        ),
    ]
