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
WEIGHTS = LOADS / (1 - LOADS**2)  # of each trait in the best reading of all traits
INFORMATION = float((LOADS * WEIGHTS).sum())  # I in graft.phantom.traits.Trait
SHARED_VARIANCE = 0.5  # share of a reading's noise that all lesions of a patient have in common


@dataclass(frozen=True)
class SimulatedCohort:
    """The lesions of some patients, with the best possible reading of their traits."""

    rows: pd.DataFrame  # columns patient and label, as in index.csv
    best: np.ndarray  # (N,)
    patient: np.ndarray  # (N,) codes

    def cases(self, resamples: int, rng: np.random.Generator) -> Cases:
        """Return the cohort as `graft.statistics.cases` takes it."""
        return Cases.of(self.rows, list(CLASSES), resamples, rng)

    def predict(self, auroc: float, rng: np.random.Generator) -> np.ndarray:
        """Return the probabilities (N, 2) of a model.

        The model sees the best reading with noise: that of each lesion, and that of its patient.
        Its probabilities are well calibrated except for mimics.

        Args:
            auroc: the model's AUROC over all possible patients.
            rng: the generator of the noise.
        """
        deviation = noise_deviation(auroc)
        of_lesion = rng.standard_normal(len(self.best))
        of_patient = rng.standard_normal(self.patient.max() + 1)[self.patient]
        noise = math.sqrt(1 - SHARED_VARIANCE) * of_lesion + math.sqrt(SHARED_VARIANCE) * of_patient
        reading = self.best + deviation * noise
        variance = INFORMATION**2 + INFORMATION + deviation**2
        slope = SEPARATION[ORGAN] * INFORMATION / variance
        disease = expit(slope * reading + logit(MALIGNANT))
        return np.stack([1 - disease, disease], axis=1)


def draw_cohort(patients: int, rng: np.random.Generator) -> SimulatedCohort:
    """Draw patients with one to three lesions each, as the phantom does."""
    labels = [draw_labels(rng) for _ in range(patients)]
    of_patient = []
    readings = []
    for number, lesions in enumerate(labels):
        for label in lesions:
            of_patient.append((number, label))
            readings.append(_trait_shares(draw_traits(rng, ORGAN, label)))
    rows = pd.DataFrame(of_patient, columns=["patient", "label"])
    best = ndtri(np.array(readings)) @ WEIGHTS
    return SimulatedCohort(rows, best, rows["patient"].to_numpy())


def noise_deviation(auroc: float) -> float:
    """Return the standard deviation of the noise that gives the best reading this AUROC.

    The reading is normal in either class. The means are SEPARATION · I apart and the variance is
    I² + I + noise², so without mimics AUROC = Φ(SEPARATION · I / √(2 · variance)). A share MIMICS
    of each class looks like the other, which makes it ½ + (1 − 2 · MIMICS) · (AUROC − ½).

    Raises:
        ValueError: if no reading has this AUROC.
    """
    without_mimics = 0.5 + (auroc - 0.5) / (1 - 2 * MIMICS)
    best_distance = SEPARATION[ORGAN] * math.sqrt(INFORMATION / (1 + INFORMATION) / 2)
    best = ndtr(best_distance)
    if not 0.5 < without_mimics <= best:
        most = 0.5 + (best - 0.5) * (1 - 2 * MIMICS)
        raise ValueError(f"auroc: got {auroc}, expected above 0.5 and at most {most:.3f}")
    variance = (SEPARATION[ORGAN] * INFORMATION / ndtri(without_mimics)) ** 2 / 2
    return math.sqrt(max(variance - INFORMATION**2 - INFORMATION, 0.0))


def _trait_shares(traits: dict[str, float]) -> list[float]:
    """Return where each trait of a lesion lies between its lowest and its highest value."""
    shares = []
    for name, trait in TRAITS[ORGAN].items():
        width = trait.high - trait.low
        shares.append((traits[name] - trait.low) / width)
    return shares
