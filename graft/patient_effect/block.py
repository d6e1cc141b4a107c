"""The block `patient_effect` of metrics.json: τ, what one known lesion adds, and a sentence."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np

from graft.common.documents import clean
from graft.common.shown import counted
from graft.patient_effect.fit import PatientEffect, fit_patient_effect
from graft.patient_effect.known import gain_of_one
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


def sentences(effect: PatientEffect, gain: Mapping | None) -> list[str]:
    """What was found, in words.

    Args:
        effect: the estimate.
        gain: of one known lesion, as in `gain_of_one`.
    """
    low, high = effect.interval
    level = f"{effect.confidence * 100:g} %"
    upper = "without an upper limit" if high is None else f"to {high:.2f}"
    found = (
        f"τ = {effect.sd:.2f} ({level} interval from {low:.2f} {upper}, p = {effect.p:.3f}, "
        f"{counted(effect.patients_with_several, 'patient')} with several lesions)"
    )
    if not effect.distinguishable:
        return [
            f"The patient effect cannot be distinguished from 0: {found}.",
            "Known lesions change no prediction.",
        ]
    said = [f"Lesions of one patient resemble each other beyond what the model sees: {found}."]
    if gain is None:
        return [*said, "No patient of the test part has several lesions to show what that adds."]
    difference = gain["log_loss"]["difference"]
    where = f"over {counted(gain['patients'], 'patient')} of the test part"
    change = f"{difference['value']:+.3f} ({difference['low']:+.3f} to {difference['high']:+.3f}) {where}"
    if difference["high"] < 0:
        return [*said, f"One known lesion lowers the log loss of the next one: {change}."]
    if difference["low"] > 0:
        return [*said, f"But one known lesion raises the log loss of the next one: {change}."]
    return [*said, f"No gain by one known lesion is shown: its log loss differs by {change}."]
