"""Tables for plots: ROC, precision-recall, calibration, decision and confusion, one row per point.

The disease, which is the last class, is compared with the rest, whatever the number of classes.
"""

import numpy as np
import pandas as pd
from sklearn.metrics import precision_recall_curve, roc_curve

from graft.statistics.calibrate import wilson
from graft.statistics.scores import BINS, bins, ratio

DECIMALS = 6
RISKS = np.arange(1, 100) / 100  # threshold probabilities of a decision curve


def roc(labels: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    """Compute the ROC curve, from no positive calls to positive calls only.

    Args:
        labels: (N,) class codes.
        probabilities: (N, C).

    Returns:
        Columns threshold, fpr, tpr. The first row has no threshold, as no probability is that
        high. The table is empty if a class is missing.
    """
    disease, positive = _disease(labels, probabilities)
    if _is_one_class(positive):
        return _empty_table("threshold", "fpr", "tpr")
    fpr, tpr, threshold = roc_curve(positive, disease, drop_intermediate=False)
    threshold[0] = np.nan  # scikit-learn writes infinity
    table = pd.DataFrame(
        {
            "threshold": threshold,
            "fpr": fpr,
            "tpr": tpr,
        }
    )
    return table.round(DECIMALS)


def precision_recall(labels: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    """Compute the precision-recall curve, from the highest probability down.

    Returns:
        Columns threshold, recall, precision; empty if a class is missing. The arguments are those
        of `roc`.
    """
    disease, positive = _disease(labels, probabilities)
    if _is_one_class(positive):
        return _empty_table("threshold", "recall", "precision")
    precision, recall, threshold = precision_recall_curve(positive, disease)
    table = pd.DataFrame(
        {
            "threshold": threshold,
            "recall": recall[:-1],  # scikit-learn appends a point without calls
            "precision": precision[:-1],
        }
    )
    falling = table[::-1].reset_index(drop=True)
    return falling.round(DECIMALS)


def calibration(
    labels: np.ndarray,
    probabilities: np.ndarray,
    patient: np.ndarray,
    confidence: float,
) -> pd.DataFrame:
    """Compute the calibration curve in the bins of the calibration error, BINS of equal width.

    Args:
        labels: (N,) class codes.
        probabilities: (N, C).
        patient: (N,) numbers from 0. The interval treats the lesions of one patient as equal, see
            `graft.statistics.calibrate.wilson`.
        confidence: of the interval.

    Returns:
        Columns bin, predicted (mean probability), observed (share of the disease), low, high and
        cases, with a row for each bin that has cases.
    """
    disease, positive = _disease(labels, probabilities)
    bin_of = bins(disease)  # (N,)
    in_bin = np.eye(BINS)[bin_of]  # (N, BINS)
    patients = patient.max() + 1
    cell = bin_of * patients + patient  # (N,)
    cells = (BINS, patients)
    lesions = np.bincount(cell, minlength=BINS * patients).reshape(cells)
    diseased = np.bincount(cell[positive], minlength=BINS * patients).reshape(cells)
    low, high = wilson(diseased, lesions, confidence)
    cases = in_bin.sum(0)  # (BINS,)
    predicted = disease @ in_bin
    observed = positive @ in_bin
    table = pd.DataFrame(
        {
            "bin": np.arange(BINS),
            "predicted": ratio(predicted, cases),
            "observed": ratio(observed, cases),
            "low": low,
            "high": high,
            "cases": cases.astype(np.int64),
        }
    )
    filled = table[cases > 0]
    return filled.round(DECIMALS)


def decision(labels: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    """Compute the decision curve: true calls of the disease minus weighted false calls.

    A false call weighs t / (1 - t) at the threshold t, at or above which the disease is called.
    To treat from a risk of 20 % means to accept four false calls for a true one. Vickers and Elkin
    (2006), Medical Decision Making 26. `np.ones_like(probabilities)` gives the curve of calling
    every case, `np.zeros_like(probabilities)` that of calling none.

    Returns:
        Columns threshold and net_benefit, a row for each of RISKS. The arguments are those of
        `roc`.
    """
    disease, positive = _disease(labels, probabilities)
    called = disease[:, None] >= RISKS  # (N, T)
    is_diseased = positive[:, None]  # (N, 1)
    true_calls = (called & is_diseased).mean(0)  # (T,)
    false_calls = (called & ~is_diseased).mean(0)
    benefit = true_calls - false_calls * RISKS / (1 - RISKS)
    table = pd.DataFrame({"threshold": RISKS, "net_benefit": benefit})
    return table.round(DECIMALS)


def confusion_table(matrix: np.ndarray, classes: list[str]) -> pd.DataFrame:
    """Return the confusion matrix (C, C) as the columns actual, predicted and cases."""
    table = pd.DataFrame(matrix, index=classes, columns=classes)
    table = table.rename_axis(index="actual", columns="predicted")
    cells = table.stack().rename("cases")
    return cells.reset_index()


def _disease(labels: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the probability of the disease, and whether each case has it: (N,) each."""
    last = probabilities.shape[1] - 1
    disease = probabilities[:, last]
    positive = labels == last
    return disease, positive


def _is_one_class(positive: np.ndarray) -> bool:
    return bool(positive.all()) or not positive.any()


def _empty_table(*columns: str) -> pd.DataFrame:
    return pd.DataFrame(columns=list(columns), dtype=float)
