"""Estimation of τ by maximum marginal likelihood, with its interval and the test against 0."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.special import expit
from scipy.stats import chi2, t

from graft.patient_effect.model import LARGEST_SD, log_likelihood, to_logits

DECIMALS = 4  # of τ; the last bits of a sum depend on the machine
TRIED = np.linspace(0, LARGEST_SD, 21)  # values of τ that the search begins with
LARGEST_INTERCEPT = 40.0  # on the logit: twice the logit of a probability that is nearly 1
PRIOR_SD = 1.5  # of the half-normal prior of `applied_sd`, chosen by benchmarks.patient_effect

Likelihood = Callable[[float], float]  # the logarithm of the likelihood of τ


@dataclass(frozen=True)
class PatientEffect:
    """An estimate of τ, the standard deviation of the patients' effects on the logit.

    Attributes:
        sd: τ with the largest likelihood, from 0 to LARGEST_SD.
        interval: by profile likelihood; the high end is None if no τ is too large.
        confidence: of the interval and the test.
        p: of the test of τ = 0.
        distinguishable: from 0, at this confidence.
        applied_sd: τ that known lesions are used with: closer to 0 than `sd`, and 0 unless τ is
            distinguishable.
        patients: all of them.
        patients_with_several: lesions; the others say nothing about τ.
    """

    sd: float
    interval: tuple[float, float | None]
    confidence: float
    p: float
    distinguishable: bool
    applied_sd: float
    patients: int
    patients_with_several: int


def fit_patient_effect(
    positive: np.ndarray, probabilities: np.ndarray, patient: np.ndarray, confidence: float
) -> PatientEffect | None:
    """Estimate τ; None if no patient has several lesions, or if all lesions have one class.

    An intercept, which makes the mean probability that of the cases, is fitted before and not used
    afterwards. Without it, probabilities that are too low for all patients look like an effect of
    each (benchmarks.patient_effect).

    Args:
        positive: (N,) bool, whether lesions are of the disease.
        probabilities: (N,) of the disease, calibrated, by networks that did not train on them.
        patient: (N,) numbers of their patients, from 0.
        confidence: of the interval and the test.
    """
    counts = np.bincount(patient)
    informative = int((counts > 1).sum())
    several = counts[patient] > 1  # (N,)
    if not several.any() or positive.all() or not positive.any():
        return None
    centred = centre(positive, probabilities)
    _, codes = np.unique(patient[several], return_inverse=True)

    def likelihood(sd: float) -> float:
        return log_likelihood(positive[several], centred[several], codes, sd)

    sd = maximise(likelihood)
    p = p_of_none(likelihood, sd)
    distinguishable = p < 1 - confidence
    return PatientEffect(
        sd=round(sd, DECIMALS),
        interval=profile_interval(likelihood, sd, confidence, informative),
        confidence=confidence,
        p=p,
        distinguishable=distinguishable,
        applied_sd=round(maximise(penalise(likelihood)), DECIMALS) if distinguishable else 0.0,
        patients=int((counts > 0).sum()),
        patients_with_several=informative,
    )


def centre(positive: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return probabilities (N,) with the intercept that makes their mean the share of positives."""
    logits = to_logits(probabilities)

    def excess(intercept: float) -> float:
        return float((expit(logits + intercept) - positive).sum())

    return expit(logits + brentq(excess, -LARGEST_INTERCEPT, LARGEST_INTERCEPT))


def p_of_none(likelihood: Likelihood, sd: float) -> float:
    """Return the p-value of τ = 0, where `sd` has the largest likelihood.

    As a variance cannot be negative, twice the logarithm of the likelihood ratio is 0 or χ²₁, half
    of the time each, if τ = 0. Self and Liang (1987), Asymptotic Properties of Maximum Likelihood
    Estimators and Likelihood Ratio Tests Under Nonstandard Conditions, JASA 82.
    """
    ratio = 2 * (likelihood(sd) - likelihood(0.0))
    return float(chi2.sf(ratio, 1) / 2) if ratio > 0 else 1.0


def penalise(likelihood: Likelihood, prior_sd: float = PRIOR_SD) -> Likelihood:
    """Return the log-posterior of τ with a half-normal prior.

    An estimate that is distinguishable from 0 is on average too large, the more so the fewer
    patients there are. With it, a known lesion would do more harm than good.
    """
    return lambda sd: likelihood(sd) - (sd / prior_sd) ** 2 / 2


def maximise(function: Likelihood) -> float:
    """Return the τ in [0, LARGEST_SD] with the largest value; of equal ones the smallest."""
    best = int(np.argmax([function(sd) for sd in TRIED]))
    around = TRIED[max(best - 1, 0)], TRIED[min(best + 1, len(TRIED) - 1)]
    found = minimize_scalar(lambda sd: -function(sd), bounds=around, method="bounded")
    return float(max([TRIED[best], found.x], key=function))  # the search never tries the ends


def profile_interval(
    likelihood: Likelihood, sd: float, confidence: float, patients: int
) -> tuple[float, float | None]:
    """Return the τ around `sd` that a likelihood-ratio test does not reject.

    The low end is 0 if the likelihood of 0 is not too small. The high end is None if that of
    LARGEST_SD is not, because a larger τ changes the likelihood no more. The ratio is compared with
    the square of Student's t, not with χ²₁, which a few dozen patients need.

    Args:
        likelihood: of τ.
        sd: τ with the largest one.
        confidence: of the interval.
        patients: with several lesions.
    """
    quantile = t.ppf((1 + confidence) / 2, max(patients - 1, 1))
    least = likelihood(sd) - quantile**2 / 2

    def above(value: float) -> float:
        return likelihood(value) - least

    low = 0.0 if above(0.0) >= 0 else brentq(above, 0.0, sd)
    high = None if above(LARGEST_SD) >= 0 else round(brentq(above, sd, LARGEST_SD), DECIMALS)
    return round(low, DECIMALS), high
