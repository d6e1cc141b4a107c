"""Known lesions of a patient in `graft predict`: which they are, and what they change."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from graft.common.files import InputError
from graft.common.shown import shown
from graft.console import say
from graft.patient_effect.model import shift
from graft.prediction.batch import Batch
from graft.prediction.inputs import Listed
from graft.prediction.lesions import Lesion
from graft.prediction.prediction import Failure, Prediction
from graft.prediction.predictor import Predictor, Result
from graft.release.fitted import FITTED

ONE_PATIENT = "the patient"  # of the scan that --at, --mask and --known are about


def add_known(one: Lesion, known: Sequence[tuple[str, tuple[float, ...]]]) -> list[Listed]:
    """The lesion that is asked for, and the known ones of the same scan.

    Args:
        one: the lesion.
        known: class and position, in the frame of the lesion.
    """
    lesions: list[Listed] = [replace(one, patient=ONE_PATIENT)]
    for label, place in known:
        lesion = Lesion(one.image, place, one.frame, series=one.series)
        lesions.append(replace(lesion, patient=ONE_PATIENT, known=label))
    return lesions


def check_known(predictor: Predictor, listed: Sequence[Listed]) -> list[Listed]:
    """Make a Failure of each lesion whose `known` cannot be used.

    If nothing is known, or if the patient effect cannot be distinguished from 0, which a line says,
    no lesion is known afterwards.

    Raises:
        InputError: if a lesion is known, and the model has no estimate of the patient effect.
    """
    if not any(isinstance(one, Lesion) and one.known for one in listed):
        return list(listed)
    effect = None if predictor.fitted is None else predictor.fitted.patient_effect
    if effect is None:
        raise InputError(
            f"{predictor.folder / FITTED}: has no patient effect, which known lesions need; "
            "expected a model for two classes that `evaluate` of this version chose, and that was "
            "validated on patients with several lesions"
        )
    checked = [_check(one, predictor.classes) for one in listed]
    if not effect["distinguishable"]:
        say(
            f"{predictor.folder}: the patient effect cannot be distinguished from 0, so known "
            "lesions change nothing"
        )
        return [replace(one, known="") if isinstance(one, Lesion) else one for one in checked]
    return checked


def _check(one: Listed, classes: Sequence[str]) -> Listed:
    if isinstance(one, Failure) or not one.known:
        return one
    if one.known not in classes:
        expected = " or ".join(classes)
        return Failure(one, f"known is {shown(one.known)}, expected {expected}, or nothing")
    if not one.patient:
        return Failure(one, "is known, but its patient is not, expected a column patient")
    return one


def use_known(predictor: Predictor, batch: Batch) -> Batch:
    """Shift the probabilities of lesions whose patient has known ones, and answer with them.

    A known lesion keeps its own prediction, and one that is there twice becomes a Failure.
    """
    patients: dict[str, dict[int, Prediction]] = defaultdict(dict)
    for number, found in enumerate(batch.results):
        if isinstance(found, Prediction) and found.lesion.patient:
            patients[found.lesion.patient][number] = found
    revised: dict[int, Result] = {}
    for predictions in patients.values():
        if any(one.lesion.known for one in predictions.values()):
            revised |= _revise(predictor, predictions)
    results = [revised.get(number, found) for number, found in enumerate(batch.results)]
    return Batch(results, batch.inputs)


def keep_first(batch: Batch) -> Batch:
    """The lesion that `add_known` was asked for, without the known ones.

    Raises:
        InputError: if a known one cannot be used.
    """
    for other in batch.results[1:]:
        if isinstance(other, Failure):
            raise InputError(f"--known: {other.message}")
    inputs = {number: one for number, one in batch.inputs.items() if number == 0}
    return Batch(batch.results[:1], inputs)


def _revise(predictor: Predictor, predictions: Mapping[int, Prediction]) -> dict[int, Result]:
    """Answer again for the lesions of one patient, by their numbers."""
    revised: dict[int, Result] = {}
    places = set()
    known = []
    for number, one in predictions.items():
        lesion = one.lesion
        position = lesion.position or (lesion.mask, lesion.segment)
        place = (lesion.image.resolve(), lesion.series, lesion.row, lesion.frame, position)
        if place in places:
            reason = "repeats a lesion of the patient, expected each lesion once"
            revised[number] = Failure(lesion, reason)
            continue
        places.add(place)
        if lesion.known:
            revised[number] = replace(one, known={"class": lesion.known})
            known.append(one)
    usable = [one for one in known if not one.refused]
    for one in known:
        if one.refused:
            name = one.lesion.name
            say(f"{name}: is unlike the training data, so nothing follows from its class")
    for number, one in predictions.items():
        if usable and number not in revised:
            revised[number] = _shift(predictor, one, usable)
    return revised


def _shift(predictor: Predictor, one: Prediction, known: Sequence[Prediction]) -> Prediction:
    assert predictor.fitted is not None
    assert predictor.fitted.patient_effect is not None
    assert one.calibrated is not None
    healthy, disease = predictor.classes
    positive = np.array([other.lesion.known == disease for other in known])
    [shifted] = shift(
        np.array([one.calibrated[disease]]),
        np.array([(other.calibrated or {})[disease] for other in known]),
        positive,
        predictor.fitted.patient_effect["applied_sd"],
    )
    calibrated = {healthy: 1 - shifted, disease: shifted}
    about = {"lesions": len(known), "calibrated_without": dict(one.calibrated)}
    return predictor.answers.revise(one, calibrated, about)
