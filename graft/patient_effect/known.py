"""What one known lesion of a patient adds to the prediction of another, on a test part."""

from dataclasses import dataclass

import numpy as np

from graft.patient_effect.model import shift_by_one
from graft.statistics.cases import Cases, ResampledScores, estimates, gain, score_cases
from graft.statistics.scores import PROBABILITY_DECIMALS, score

SCORES = ("log_loss", "auroc")
FEWEST = 10  # patients with several lesions, as an interval over fewer means little


@dataclass(frozen=True)
class Pairs:
    """The M ordered pairs (known, next) of lesions of one patient.

    Attributes:
        known: (M,) rows of the known lesions.
        further: (M,) rows of the next ones.
    """

    known: np.ndarray
    further: np.ndarray

    @classmethod
    def of(cls, patient: np.ndarray) -> "Pairs":
        """List the pairs of N lesions with these numbers (N,) of their patients."""
        same = patient[:, None] == patient
        np.fill_diagonal(same, False)
        known, further = np.nonzero(same)
        return cls(known, further)


def gain_of_one(
    cases: Cases, probabilities: np.ndarray, sd: float, confidence: float
) -> dict | None:
    """Score the next lesion with and without the known one; None with fewer than FEWEST patients.

    The pairs of a patient have the weight of one patient together, and a resample draws patients.

    Args:
        cases: N of a test part.
        probabilities: (N, 2), calibrated.
        sd: τ that the known lesion is used with.
        confidence: of the intervals.

    Returns:
        The number of patients and pairs, and for each of SCORES the value `without` and `with` the
        known lesion and the `difference`, with minus without.
    """
    pairs = Pairs.of(cases.patient)
    numbers, of_pair = np.unique(cases.patient[pairs.further], return_inverse=True)
    if len(numbers) < FEWEST:
        return None
    disease = probabilities[:, 1]
    shifted = shift_by_one(disease, cases.labels == 1, pairs.known, pairs.further, sd)
    of_pairs = Cases(
        rows=cases.rows.iloc[pairs.further],
        labels=cases.labels[pairs.further],
        patient=of_pair,
        draws=cases.draws[:, numbers],
    )
    shares = 1 / np.bincount(of_pair)[of_pair]  # (M,)
    scored = {}
    for name, found in (("without", disease[pairs.further]), ("with", shifted)):
        scored[name] = _score(of_pairs, found.round(PROBABILITY_DECIMALS), shares)
    block: dict = {"patients": len(numbers), "pairs": len(pairs.known)}
    values = {name: estimates(scores, confidence) for name, scores in scored.items()}
    for name in SCORES:
        block[name] = {way: values[way][name] for way in scored}
        block[name]["difference"] = gain(scored["with"], scored["without"], confidence, name)
    return block


def _score(pairs: Cases, disease: np.ndarray, shares: np.ndarray) -> ResampledScores:
    both = np.stack([1 - disease, disease], axis=1)

    def scores(weights: np.ndarray) -> dict[str, np.ndarray]:
        found = score(pairs.labels, both, weights * shares, None)
        return {name: found[name] for name in SCORES}

    return score_cases(pairs, scores)
