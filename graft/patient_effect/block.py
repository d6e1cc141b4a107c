"""The block `patient_effect` of metrics.json: τ, what one known lesion adds, and a sentence."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np

from graft.common.documents import clean
from graft.common.shown import counted
from graft.patient_effect.fit import PatientEffect, fit_patient_effect
from graft.patient_effect.known import gain_of_one
from graft.patient_effect.model import LARGEST_SD
from graft.statistics.cases import Cases

SCHEMA = Path(__file__).with_name("patient_effect.schema.json")


def patient_effect_block(
    cases: Mapping[str, Cases], probabilities: Mapping[str, np.ndarray], confidence: float
) -> dict | None:
    """Make the block; None with more than two classes, or if the cases say nothing about τ.

    Args:
        cases: by part. τ comes from "validation", and what a known lesion adds from "test".
        probabilities: by part, (N, C), calibrated; out of fold, if "validation" are training rows.
        confidence: of the intervals and the test.
    """
    validation = cases["validation"]
    predicted = probabilities["validation"]
    if predicted.shape[1] > 2:
        return None
    effect = fit_patient_effect(
        validation.labels == 1, predicted[:, 1], validation.patient, confidence
    )
    if effect is None:
        return None
    gain = None
    if effect.distinguishable and "test" in cases:
        gain = gain_of_one(cases["test"], probabilities["test"], effect.applied_sd, confidence)
    block = clean({**asdict(effect), "gain": gain})
    return {**block, "sentence": " ".join(sentences(effect, block["gain"]))}


def sentences(effect: PatientEffect, gain: Mapping | None) -> Iterator[str]:
    """Yield what was found, in words.

    Args:
        effect: the estimate.
        gain: of one known lesion, as in `gain_of_one`.
    """
    low, high = effect.interval
    level = f"{effect.confidence * 100:g} %"
    sd = f"{effect.sd:.2f}" if effect.sd < LARGEST_SD else f"at least {LARGEST_SD:g}"
    upper = "without an upper limit" if high is None else f"to {high:.2f}"
    found = (
        f"τ is {sd} ({level} interval from {low:.2f} {upper}, p = {effect.p:.3f}, "
        f"{counted(effect.patients_with_several, 'patient')} with several lesions)"
    )
    if not effect.distinguishable:
        yield f"The patient effect cannot be distinguished from 0: {found}."
        yield "Known lesions change no prediction."
        return
    yield f"Lesions of one patient resemble each other beyond what the model sees: {found}."
    if gain is None:
        yield "Too few patients of the test part have several lesions to show what that adds."
        return
    difference = gain["log_loss"]["difference"]
    value, low, high = (difference[name] for name in ("value", "low", "high"))
    change = f"by {value:+.3f} ({low:+.3f} to {high:+.3f})"
    if high < 0:
        said = "One known lesion lowers the log loss of the next one"
    elif low > 0:
        said = "However, one known lesion raises the log loss of the next one"
    else:
        said = "No gain by one known lesion is shown: it changes the log loss of the next one"
    yield f"{said} {change}, over {counted(gain['patients'], 'patient')} of the test part."
