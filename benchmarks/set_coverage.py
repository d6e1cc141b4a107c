"""Do conformal sets have the true class as often as promised, in cohorts like the phantom's?

In each cohort the quantiles are fitted to some patients and the sets are made for others. The ways
differ in what the quantiles are fitted to:

- all lesions: as graft does. The lesions of a patient share half of the noise.
- one per patient: a lesion of each patient, which makes the cases exchangeable.
- without classes: one quantile for both classes, which is not class-conditional.
- out of fold: a logistic regression is trained in five folds of the patients, its out-of-fold
  probabilities give the quantiles, and the one that trained on all of them makes the sets.
"""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from benchmarks.cohorts import SimulatedCohort, draw_cohort
from graft.common.seeds import generator
from graft.conformal.quantiles import fit_quantile, fit_quantiles, nonconformity, predict_sets
from graft.phantom.traits import CLASSES
from graft.statistics.cases import class_codes
from graft.statistics.scores import PROBABILITY_DECIMALS

MISCOVERAGE = 0.1
AUROC = 0.85  # of the model whose probabilities are known
NEW_PATIENTS = 120  # of a cohort, for whom sets are made
MEASUREMENTS = 8  # that the logistic regression reads
DISTANCE = 0.7  # between the classes, in each measurement
FOLDS = 5
ALL, ONE, MARGINAL, OUT_OF_FOLD = (
    "all lesions",
    "one per patient",
    "without classes",
    "out of fold",
)


def coverage_rows(patients: int, cohorts: int) -> list[dict]:
    """Return the coverage of each class by each way, over cohorts of one size.

    Args:
        patients: in each cohort, that the quantiles are fitted to.
        cohorts: how many are drawn.
    """
    covered: dict[tuple[str, str], list[float]] = defaultdict(list)
    sizes: dict[str, list[float]] = defaultdict(list)
    for number in range(cohorts):
        random = generator(number, "set coverage", patients)
        for way, labels, kept in draw_sets(patients, random):
            sizes[way].append(float(kept.sum(1).mean()))
            for code, name in enumerate(CLASSES):
                of_class = kept[labels == code, code]
                covered[way, name].append(float(of_class.mean()))
    rows = []
    for (way, name), shares in covered.items():
        row = {"way": way, "class": name, "coverage": float(np.mean(shares))}
        row["standard error"] = float(np.std(shares) / np.sqrt(cohorts))
        rows.append(row | {"set size": float(np.mean(sizes[way]))})
    return rows


def draw_sets(
    patients: int, random: np.random.Generator
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Draw a cohort and yield each way, the labels (N,) of new lesions and their sets (N, C)."""
    known, new = draw_cohort(patients, random), draw_cohort(NEW_PATIENTS, random)
    codes, wanted = _codes(known), _codes(new)
    fitted = known.predict(AUROC, random).round(PROBABILITY_DECIMALS)
    predicted = new.predict(AUROC, random).round(PROBABILITY_DECIMALS)
    yield ALL, wanted, _sets(codes, fitted, predicted)
    one = np.unique(known.patient, return_index=True)[1]  # the first lesion, in no special order
    yield ONE, wanted, _sets(codes[one], fitted[one], predicted)
    scores = nonconformity(fitted)[np.arange(len(codes)), codes]
    together = dict.fromkeys(CLASSES, fit_quantile(scores, MISCOVERAGE))
    yield MARGINAL, wanted, predict_sets(predicted, together)
    out_of_fold, final = _train(known, new, random)
    yield OUT_OF_FOLD, wanted, _sets(codes, out_of_fold, final)


def _sets(codes: np.ndarray, fitted: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    samples = tuple(range(len(codes)))
    found = fit_quantiles(codes, fitted, samples, list(CLASSES), MISCOVERAGE)
    return predict_sets(predicted, found.quantiles)


def _train(
    known: SimulatedCohort, new: SimulatedCohort, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the known lesions (N, C) as predicted out of fold, and the new ones (M, C)."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold, cross_val_predict

    model = LogisticRegression()
    inputs, codes = _measure(known, random), _codes(known)
    folds = GroupKFold(FOLDS, shuffle=True, random_state=int(random.integers(2**31)))
    out_of_fold = cross_val_predict(
        model, inputs, codes, groups=known.patient, cv=folds, method="predict_proba"
    )
    final = model.fit(inputs, codes).predict_proba(_measure(new, random))
    return out_of_fold.round(PROBABILITY_DECIMALS), final.round(PROBABILITY_DECIMALS)


def _measure(cohort: SimulatedCohort, random: np.random.Generator) -> np.ndarray:
    """Measurements (N, MEASUREMENTS) of lesions: half of their noise is that of the patient."""
    of_lesion = random.standard_normal((len(cohort.best), MEASUREMENTS))
    of_patient = random.standard_normal((cohort.patient.max() + 1, MEASUREMENTS))
    noise = (of_lesion + of_patient[cohort.patient]) / np.sqrt(2)
    return DISTANCE * _codes(cohort)[:, None] + noise


def _codes(cohort: SimulatedCohort) -> np.ndarray:
    return class_codes(cohort.rows, list(CLASSES))
