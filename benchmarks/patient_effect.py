"""Does the interval of τ hold, and does a known lesion help, in cohorts whose τ is known?

    python -m benchmarks.patient_effect [--cohorts 200] [--patients 20 --patients 60] [--out FILE]

Draws patients with as many lesions as the phantom's, and an effect of each patient on the logit of
their lesions. A model reads the lesions, a temperature is fitted, and τ is estimated as `evaluate`
does. Three more ways to estimate it are tried: Laplace's approximation of the same likelihood, the
likelihood with logit p + b instead of Δ + b, and no intercept for a model whose logits are all too
high by 1. Where τ is distinguishable from 0, one known lesion is used for the next one of further
patients, with several priors of τ. Prints tables in Markdown. Takes about 6 minutes on one core.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from scipy.special import expit, log_expit, logsumexp

from benchmarks.comparison import Comparison, report
from benchmarks.markdown import markdown_head, markdown_row
from graft.common.files import write_json
from graft.common.seeds import generator
from graft.conformal.quantiles import fit_quantiles, predict_sets
from graft.console import run, say
from graft.patient_effect.fit import (
    PRIOR_SD,
    Likelihood,
    centre,
    maximise,
    p_of_none,
    penalise,
    profile_interval,
)
from graft.patient_effect.known import Pairs
from graft.patient_effect.model import (
    EFFECTS,
    LARGEST_SD,
    LOG_WEIGHTS,
    conditional_logits,
    log_likelihood,
    shift_by_one,
    to_logits,
)
from graft.phantom.traits import CLASSES, draw_labels
from graft.statistics.calibrate import Temperature, fit_temperature

SIZES = (20, 60)  # patients of a cohort
SDS = (0.0, 1.0, 2.0, 3.0)  # τ
CONFIDENCE = 0.95
MISCOVERAGE = 0.1
READING = (-0.3, 2.0)  # mean and standard deviation of the logits that a model reads
TOO_HIGH = 1.0  # all logits of a miscalibrated model
FURTHER = 300  # patients for whom known lesions are used
MOST_GAINS = 50  # cohorts of a kind whose estimate is used for further patients
PRIORS = (1.0, PRIOR_SD, 2.0, 3.0, np.inf)  # standard deviations; inf is the estimate itself
GRAFT, LAPLACE, PLAIN = "graft", "Laplace", "logit p + b"
CENTRED, UNCENTRED = "too high, with intercept", "too high, without"
STEPS = 60  # of Newton's method to the mode of a patient's effect


@dataclass(frozen=True)
class Cohort:
    """N lesions: their patient, whether they are of the disease, and its calibrated probability."""

    patient: np.ndarray
    positive: np.ndarray
    disease: np.ndarray
    temperature: Temperature


def main(
    cohorts: Annotated[int, typer.Option(help="How many cohorts are drawn of each kind.")] = 200,
    patients: Annotated[
        list[int] | None, typer.Option(help="The patients of a cohort; can be repeated.")
    ] = None,
    sds: Annotated[
        list[float] | None, typer.Option("--sd", help="τ of a cohort; can be repeated.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The JSON file for every number.")] = None,
) -> None:
    """Count how often intervals contain τ, and score predictions with a known lesion."""
    intervals, gains = [], []
    for size in patients or SIZES:
        for sd in sds or SDS:
            found = simulate(size, sd, cohorts)
            intervals += interval_rows(size, sd, found)
            gains += gain_rows(size, sd, found)
    for rows in (intervals, gains):
        for line in in_markdown(rows):
            say(line)
    report_coverage(intervals, cohorts)
    if out:
        write_json(out, {"intervals": intervals, "gains": gains})


def simulate(size: int, sd: float, cohorts: int) -> dict[str, list]:
    """Draw cohorts, and return what each way found in each, and the gains by prior."""
    found: dict[str, list] = defaultdict(list)
    for number in range(cohorts):
        random = generator(number, "patient effect", size, str(sd))
        cohort = draw_cohort(size, sd, random)
        if not (np.bincount(cohort.patient) > 1).any() or len(set(cohort.positive)) < 2:
            continue
        likelihood = likelihood_of(cohort)
        several = int((np.bincount(cohort.patient) > 1).sum())
        found[GRAFT].append(estimate(likelihood, several))
        found[LAPLACE].append(estimate(likelihood_of(cohort, laplace), several))
        plain = partial(plain_likelihood, cohort.positive, cohort.disease, cohort.patient)
        found[PLAIN].append(estimate(plain, several))
        if sd == 0:
            high = read_too_high(cohort)
            found[CENTRED].append(estimate(likelihood_of(high), several))
            found[UNCENTRED].append(estimate(likelihood_of(high, centred=False), several))
        if found[GRAFT][-1][3] < 1 - CONFIDENCE and len(found["gains"]) < MOST_GAINS:
            found["gains"].append(use_known(cohort, likelihood, sd, random))
    return found


def draw_cohort(patients: int, sd: float, random: np.random.Generator) -> Cohort:
    """Draw patients, and calibrate the model's probabilities on them.

    The logit of the disease is a reading of the lesion plus the effect of the patient. The model
    sees the reading.
    """
    lesions = [len(draw_labels(random)) for _ in range(patients)]
    patient = np.repeat(np.arange(patients), lesions)
    reading = random.normal(*READING, len(patient))
    effect = sd * random.standard_normal(patients)
    positive = random.random(len(patient)) < expit(reading + effect[patient])
    return calibrate(patient, positive, expit(reading))


def calibrate(patient: np.ndarray, positive: np.ndarray, raw: np.ndarray) -> Cohort:
    """Calibrate what a model says of lesions (N,), as `evaluate` does."""
    samples = tuple(range(len(patient)))
    temperature = fit_temperature(positive.astype(int), as_columns(raw), samples)
    disease = temperature.apply(as_columns(raw))[:, 1]
    return Cohort(patient, positive, disease, temperature)


def read_too_high(cohort: Cohort) -> Cohort:
    """The same lesions, as a model reads them whose logits are all TOO_HIGH."""
    logits = to_logits(cohort.disease) * cohort.temperature.value
    return calibrate(cohort.patient, cohort.positive, expit(logits + TOO_HIGH))


def likelihood_of(
    cohort: Cohort, function: object = log_likelihood, centred: bool = True
) -> Likelihood:
    """The likelihood of τ as `fit_patient_effect` has it: of patients with several lesions."""
    several = (np.bincount(cohort.patient) > 1)[cohort.patient]
    _, codes = np.unique(cohort.patient[several], return_inverse=True)
    disease = centre(cohort.positive, cohort.disease) if centred else cohort.disease
    return partial(function, cohort.positive[several], disease[several], codes)  # type: ignore


def estimate(likelihood: Likelihood, several: int) -> tuple[float, float, float, float]:
    """Return τ, the ends of its interval, and p."""
    sd = maximise(likelihood)
    low, high = profile_interval(likelihood, sd, CONFIDENCE, several)
    return sd, low, np.inf if high is None else high, p_of_none(likelihood, sd)


def laplace(positive: np.ndarray, disease: np.ndarray, patient: np.ndarray, sd: float) -> float:
    """The likelihood of graft, with Laplace's approximation of the integral of each patient."""
    signs = np.where(positive, 1, -1)
    logits = conditional_logits(disease, sd)
    if sd == 0:
        return float(log_expit(signs * logits).sum())
    effect = np.zeros(patient.max() + 1)
    for _ in range(STEPS):
        given = expit(logits + effect[patient])
        slope = np.bincount(patient, positive - given) - effect / sd**2
        curvature = np.bincount(patient, given * (1 - given)) + 1 / sd**2
        effect += (step := np.clip(slope / curvature, -2, 2))
        if np.abs(step).max() < 1e-8:
            break
    joint = np.bincount(patient, log_expit(signs * (logits + effect[patient])))
    return float((joint - (effect / sd) ** 2 / 2 - np.log(sd) - np.log(curvature) / 2).sum())


def plain_likelihood(
    positive: np.ndarray, disease: np.ndarray, patient: np.ndarray, sd: float
) -> float:
    """The likelihood of logit p + b, in which p is the probability at b = 0."""
    logits = to_logits(disease)[:, None] + sd * EFFECTS
    of_patient = np.zeros((patient.max() + 1, len(EFFECTS)))
    np.add.at(of_patient, patient, log_expit(np.where(positive[:, None], logits, -logits)))
    return float(logsumexp(of_patient + LOG_WEIGHTS, axis=1).sum())


def use_known(
    cohort: Cohort, likelihood: Likelihood, sd: float, random: np.random.Generator
) -> dict[str, float]:
    """Use one known lesion for the next one of further patients.

    Returns:
        The change of the log loss for each of PRIORS, and the coverage of conformal sets of each
        class, without and with the known lesion.
    """
    new = draw_cohort(FURTHER, sd, random)
    raw = expit(to_logits(new.disease) * new.temperature.value)
    disease = cohort.temperature.apply(as_columns(raw))[:, 1]  # calibrated on the known cohort
    pairs = Pairs.of(new.patient)
    labels = new.positive[pairs.further]
    weights = 1 / np.bincount(new.patient[pairs.further])[new.patient[pairs.further]]
    before = disease[pairs.further]
    found: dict[str, float] = {}
    shifted = {}
    for prior in PRIORS:
        used = maximise(penalise(likelihood, prior))
        shifted[prior] = shift_by_one(disease, new.positive, pairs.known, pairs.further, used)
        change = log_loss(labels, shifted[prior], weights) - log_loss(labels, before, weights)
        found[f"prior {prior:g}"] = change
    conformal = fit_quantiles(
        cohort.positive.astype(int), as_columns(cohort.disease), (), CLASSES, MISCOVERAGE
    )
    for name, probabilities in (("without", before), ("with", shifted[PRIOR_SD])):
        kept = predict_sets(as_columns(probabilities), conformal.quantiles)
        for code, label in enumerate(CLASSES):
            rows = labels == bool(code)
            covered = np.average(kept[rows, code], weights=weights[rows])
            found[f"coverage of {label}, {name}"] = float(covered)
    return found


def log_loss(positive: np.ndarray, disease: np.ndarray, weights: np.ndarray) -> float:
    """The weighted mean log loss."""
    signs = np.where(positive, 1, -1)
    return float(-np.average(log_expit(signs * to_logits(disease)), weights=weights))


def as_columns(disease: np.ndarray) -> np.ndarray:
    """Both classes' probabilities (N, 2)."""
    return np.stack([1 - disease, disease], axis=1)


def interval_rows(size: int, sd: float, found: dict[str, list]) -> Iterator[dict]:
    """Yield the shares of intervals that contain τ, and of cohorts where τ is distinguishable."""
    for way in (GRAFT, LAPLACE, PLAIN, CENTRED, UNCENTRED):
        if way not in found:
            continue
        estimates = np.array(found[way])
        middle, low, high, p = estimates.T
        yield {
            "patients": size,
            "τ": sd,
            "way": way,
            "cohorts": len(estimates),
            "contains τ": float(((low <= sd) & (sd <= high)).mean()),
            "above": float((low > sd).mean()),
            "below": float((high < sd).mean()),
            "distinguishable": float((p < 1 - CONFIDENCE).mean()),
            "median": float(np.median(middle)),
            "at the limit": float((middle >= LARGEST_SD - 0.01).mean()),
        }


def gain_rows(size: int, sd: float, found: dict[str, list]) -> Iterator[dict]:
    """Yield means over the cohorts where τ is distinguishable from 0."""
    gains = found["gains"]
    if gains:
        row: dict = {"patients": size, "τ": sd, "cohorts": len(gains)}
        yield row | {name: float(np.mean([one[name] for one in gains])) for name in gains[0]}


def in_markdown(rows: list[dict]) -> Iterator[str]:
    """Yield the lines of a table."""
    yield ""
    if rows:
        yield from markdown_head(*rows[0])
    for row in rows:
        cells = [f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row.values()]
        yield markdown_row(*cells)


def report_coverage(rows: list[dict], cohorts: int) -> None:
    """Report the lowest coverage of τ, and how often τ = 0 is called distinguishable."""
    lowest = {
        way: min(row["contains τ"] for row in rows if row["way"] == way) for way in (GRAFT, LAPLACE)
    }
    note = (
        f"the lowest of all sizes and τ; standard error {100 * np.sqrt(0.95 * 0.05 / cohorts):.1f}"
    )
    report(
        Comparison(
            "cohorts whose interval contains the τ of their patients",
            "%",
            100 * lowest[GRAFT],
            "Laplace's approximation",
            100 * lowest[LAPLACE],
            more_is_better=True,
            bound=92.0,
            note=note,
        )
    )
    wrong = [row for row in rows if row["τ"] == 0]
    if not wrong:
        return
    of_way = {}
    for way in (GRAFT, UNCENTRED):
        of_way[way] = 100 * max(row["distinguishable"] for row in wrong if row["way"] == way)
    report(
        Comparison(
            "cohorts without an effect in which one is found",
            "%",
            of_way[GRAFT],
            "without intercept, logits too high",
            of_way[UNCENTRED],
            bound=8.0,
        )
    )


if __name__ == "__main__":
    run(main)
