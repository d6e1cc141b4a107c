"""Cohorts with the phantom's own patients and traits, read by models whose true AUROC is known."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit, logit, ndtr, ndtri

from graft.phantom.traits import (
    CLASSES,
    MALIGNANT,
    MIMICS,
    SEPARATION,
    TRAITS,
    draw_labels,
    draw_traits,
)
from graft.statistics.cases import Cases

ORGAN = "liver"
LOADS = np.array([trait.load for trait in TRAITS[ORGAN].values()])
WEIGHTS = LOADS / (1 - LOADS**2)  # of the traits in the best reading of them all
INFORMATION = float((LOADS * WEIGHTS).sum())  # I of graft.phantom.traits.Trait
OF_THE_PATIENT = (
    0.5  # share of a reading's noise, as variance, that all lesions of a patient have in common
)


@dataclass(frozen=True)
class Cohort:
    """The lesions of some patients and what the best reading of their traits says of them."""

    rows: pd.DataFrame  # columns patient and label, as in index.csv
    best: np.ndarray  # (N,)
    patient: np.ndarray  # (N,) codes

    def cases(self, resamples: int, rng: np.random.Generator) -> Cases:
        """As `graft.statistics.cases` wants them."""
        return Cases.of(self.rows, list(CLASSES), resamples, rng)

    def read(self, auroc: float, rng: np.random.Generator) -> np.ndarray:
        """Probabilities (N, 2) of a model with this AUROC over all patients there are, well calibrated but for mimics.

        The model sees the best reading blurred: by noise of each lesion's own and by noise of the patient's.
        """
        deviation = noise(auroc)
        own, common = (
            rng.standard_normal(len(self.best)),
            rng.standard_normal(self.patient.max() + 1),
        )
        blur = (
            math.sqrt(1 - OF_THE_PATIENT) * own + math.sqrt(OF_THE_PATIENT) * common[self.patient]
        )
        reading = self.best + deviation * blur
        variance = INFORMATION**2 + INFORMATION + deviation**2
        disease = expit(SEPARATION[ORGAN] * INFORMATION / variance * reading + logit(MALIGNANT))
        return np.stack([1 - disease, disease], axis=1)


def draw_cohort(patients: int, rng: np.random.Generator) -> Cohort:
    """Draw patients with one to three lesions each, as the phantom does."""
    labels = [draw_labels(rng) for _ in range(patients)]
    patient = np.repeat(np.arange(patients), [len(theirs) for theirs in labels])
    flat = [label for theirs in labels for label in theirs]
    traits = [draw_traits(rng, ORGAN, label) for label in flat]
    shares = [
        [(found[name] - t.low) / (t.high - t.low) for name, t in TRAITS[ORGAN].items()]
        for found in traits
    ]
    return Cohort(
        pd.DataFrame({"patient": patient, "label": flat}),
        ndtri(np.array(shares)) @ WEIGHTS,
        patient,
    )


def noise(auroc: float) -> float:
    """Standard deviation of the noise that leaves the best reading with this AUROC over all patients there are.

    The reading is normal in either class, with means SEPARATION * I apart and the variance I^2 + I + noise^2, so
    without mimics AUROC = Phi(SEPARATION * I / sqrt(2 * variance)). A share MIMICS of each class reads as the other:
    that takes the AUROC to 1/2 + (1 - 2 * MIMICS) * (AUROC - 1/2).
    """
    clear = 0.5 + (auroc - 0.5) / (1 - 2 * MIMICS)
    best = ndtr(SEPARATION[ORGAN] * math.sqrt(INFORMATION / (1 + INFORMATION) / 2))
    if not 0.5 < clear <= best:
        most = 0.5 + (best - 0.5) * (1 - 2 * MIMICS)
        raise ValueError(f"auroc: got {auroc}, expected above 0.5 and at most {most:.3f}")
    variance = (SEPARATION[ORGAN] * INFORMATION / ndtri(clear)) ** 2 / 2
    return math.sqrt(max(variance - INFORMATION**2 - INFORMATION, 0.0))
