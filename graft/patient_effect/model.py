"""The model: lesions of a patient share an effect b ~ N(0, τ²) on the logit of the disease.

P(disease | b) = σ(Δ + b). Δ follows from the calibrated probability p and τ by E[σ(Δ + b)] = p, so
that p stays the probability of a lesion as long as nothing is known of the patient, for every τ.
With Δ = logit p instead, E[σ(logit p + b)] would be nearer to ½ than p, which is calibrated over
all patients, and τ would come out too small (benchmarks.patient_effect). Heagerty and Zeger (2000),
Marginalized Multilevel Models and Likelihood Inference, Statistical Science 15.

Integrals over b are sums over a regular grid. Their error falls exponentially in 1 / (τ · STEP):
Trefethen and Weideman (2014), The Exponentially Convergent Trapezoidal Rule, SIAM Review 56.
Laplace's approximation has too large an error for the one to three binary lesions of a patient
(benchmarks.patient_effect).
"""

import numpy as np
from scipy.special import expit, log_expit, logit, logsumexp

from graft.statistics.scores import PROBABILITY_DECIMALS

LEAST = 10.0**-PROBABILITY_DECIMALS  # of a rounded probability that is not 0
LARGEST_SD = 10.0  # the lesions of a patient then practically always have the same class
STEP = 0.1
EFFECTS = np.arange(-80, 81) * STEP  # (Q,) b / τ
LOG_WEIGHTS = -(EFFECTS**2) / 2 - logsumexp(-(EFFECTS**2) / 2)  # (Q,)
WEIGHTS = np.exp(LOG_WEIGHTS)
ITERATIONS = 50  # of Newton's method, which needs about four
TOLERANCE = 1e-5  # of the last step; the error is its square
SLOPE = 16 * np.sqrt(3) / (15 * np.pi)  # σ(x) ≈ Φ(SLOPE · x): Johnson and Kotz (1970)


def conditional_logits(probabilities: np.ndarray, sd: float) -> np.ndarray:
    """Return Δ (N,) of lesions with these probabilities (N,) of the disease, for one τ."""
    logits = to_logits(probabilities)
    wanted = -np.abs(logits)  # Δ is odd in logit p, and a mean near 0 loses no digits
    found = wanted * np.sqrt(1 + (SLOPE * sd) ** 2)
    for _ in range(ITERATIONS):
        given = expit(found[:, None] + sd * EFFECTS)  # (N, Q)
        mean = given @ WEIGHTS
        slope = (given * (1 - given)) @ WEIGHTS / (mean * (1 - mean))  # of logit(mean) in Δ
        step = (wanted - logit(mean)) / slope
        found = found + step
        if np.abs(step).max(initial=0) < TOLERANCE:
            break
    return np.where(logits > 0, -found, found)


def to_logits(probabilities: np.ndarray) -> np.ndarray:
    """Return the logits of probabilities, which rounding may have made 0 or 1."""
    return logit(np.clip(probabilities, LEAST, 1 - LEAST))


def log_likelihood(
    positive: np.ndarray, probabilities: np.ndarray, patient: np.ndarray, sd: float
) -> float:
    """Return the marginal log-likelihood of τ.

    Args:
        positive: (N,) bool, whether lesions are of the disease.
        probabilities: (N,) of the disease, calibrated.
        patient: (N,) numbers of their patients, from 0.
        sd: τ, at most LARGEST_SD.
    """
    of_lesion = _log_likelihoods(positive, probabilities, sd)  # (N, Q)
    of_patient = np.zeros((patient.max() + 1, len(EFFECTS)))
    np.add.at(of_patient, patient, of_lesion)
    return float(logsumexp(of_patient + LOG_WEIGHTS, axis=1).sum())


def shift(
    probabilities: np.ndarray, known: np.ndarray, positive: np.ndarray, sd: float
) -> np.ndarray:
    """Return the probabilities of the disease of a patient's further lesions, given known ones.

    It is the mean over the posterior of the patient's effect, not the value at its mode.

    Args:
        probabilities: (N,) of the further lesions, calibrated.
        known: (K,) of the known lesions, calibrated.
        positive: (K,) bool, whether these are of the disease.
        sd: τ, at most LARGEST_SD.
    """
    logs = LOG_WEIGHTS + _log_likelihoods(positive, known, sd).sum(0)  # (Q,)
    posterior = np.exp(logs - logsumexp(logs))
    further = conditional_logits(probabilities, sd)
    return expit(further[:, None] + sd * EFFECTS) @ posterior


def shift_by_one(
    probabilities: np.ndarray,
    positive: np.ndarray,
    known: np.ndarray,
    further: np.ndarray,
    sd: float,
) -> np.ndarray:
    """Return the probability of the disease of one lesion, given one other, for M pairs: (M,).

    Args:
        probabilities: (N,) of lesions, calibrated.
        positive: (N,) bool, whether these are of the disease.
        known: (M,) which of them is known.
        further: (M,) which one it is used for.
        sd: τ, at most LARGEST_SD.
    """
    logs = LOG_WEIGHTS + _log_likelihoods(positive, probabilities, sd)  # (N, Q)
    posterior = np.exp(logs - logsumexp(logs, axis=1, keepdims=True))
    given = expit(conditional_logits(probabilities, sd)[:, None] + sd * EFFECTS)  # (N, Q)
    return (given[further] * posterior[known]).sum(1)


def _log_likelihoods(positive: np.ndarray, probabilities: np.ndarray, sd: float) -> np.ndarray:
    """The log-likelihood of each lesion at each effect of EFFECTS: (N, Q)."""
    logits = conditional_logits(probabilities, sd)[:, None] + sd * EFFECTS
    return log_expit(np.where(positive[:, None], logits, -logits))
