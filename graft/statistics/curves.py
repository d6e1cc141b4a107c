"""What the plots draw, as tables: ROC, precision-recall, calibration, decision and confusion, one row a point.

The disease, which is the last class, is held against the rest, whatever the number of classes.
"""

import numpy as np
import pandas as pd

from graft.statistics.calibrate import wilson
from graft.statistics.scores import BINS, bins, ranks, ratio

DECIMALS = 6
RISKS = np.arange(1, 100) / 100  # threshold probabilities of a decision curve


def roc(labels: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    """Columns threshold, fpr, tpr, from nobody called to everybody called; empty where a class is missing.

    Args:
        labels: (N,) class codes.
        probabilities: (N, C).
    """
    positives, negatives, threshold = _ranked(labels, probabilities)
    table = {
        "threshold": threshold,
        "fpr": np.cumsum(negatives) / max(negatives.sum(), 1),
        "tpr": np.cumsum(positives) / max(positives.sum(), 1),
    }
    start = pd.DataFrame(
        {"threshold": [np.nan], "fpr": [0.0], "tpr": [0.0]}
    )  # no probability is that high
    return _where_both(
        pd.concat([start, pd.DataFrame(table)], ignore_index=True), positives, negatives
    )


def precision_recall(labels: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    """Columns threshold, recall, precision, from the highest probability down; empty where a class is missing."""
    positives, negatives, threshold = _ranked(labels, probabilities)
    found, called = np.cumsum(positives), np.cumsum(positives + negatives)
    table = {
        "threshold": threshold,
        "recall": found / max(positives.sum(), 1),
        "precision": found / called,
    }
    return _where_both(pd.DataFrame(table), positives, negatives)


def calibration(
    labels: np.ndarray, probabilities: np.ndarray, patient: np.ndarray, confidence: float
) -> pd.DataFrame:
    """Columns bin, predicted (mean probability), observed (share of the disease), its interval low to high, and cases.

    A row for each filled bin. The bins are those of the calibration error, BINS of equal width. `patient` (N,) counts
    the patients from 0; lesions of one are taken to be alike, see `graft.statistics.calibrate.wilson`.
    """
    values, positive = probabilities[:, -1], labels == probabilities.shape[1] - 1
    member = np.eye(BINS)[bins(values)]  # (N, BINS)
    cases = member.sum(0)
    owner = np.eye(patient.max() + 1)[patient]  # (N, P)
    low, high = wilson((member * positive[:, None]).T @ owner, member.T @ owner, confidence)
    table = pd.DataFrame(
        {
            "bin": np.arange(BINS),
            "predicted": ratio(values @ member, cases),
            "observed": ratio(positive @ member, cases),
            "low": low,
            "high": high,
            "cases": cases.astype(np.int64),
        }
    )
    return table[cases > 0].round(DECIMALS)


def decision(labels: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    """Columns threshold and net_benefit: true calls of the disease less false ones, each over all cases.

    A false call weighs t / (1 - t) at the threshold t, from which on the disease is called: whoever treats from a risk
    of 20 % on puts up with four false calls for a true one. Vickers and Elkin (2006), Medical Decision Making 26.
    Whoever calls everybody has the curve of `np.ones_like(probabilities)`, and who calls nobody has 0.
    """
    positive = labels == probabilities.shape[1] - 1
    called = probabilities[:, -1, None] >= RISKS  # (N, thresholds)
    true, false = (called & positive[:, None]).mean(0), (called & ~positive[:, None]).mean(0)
    return pd.DataFrame(
        {"threshold": RISKS, "net_benefit": true - false * RISKS / (1 - RISKS)}
    ).round(DECIMALS)


def confusion_table(matrix: np.ndarray, classes: list[str]) -> pd.DataFrame:
    """Columns actual, predicted and cases, from (C, C)."""
    cells = [
        (actual, called, matrix[i, j])
        for i, actual in enumerate(classes)
        for j, called in enumerate(classes)
    ]
    return pd.DataFrame(cells, columns=["actual", "predicted", "cases"])


def _ranked(
    labels: np.ndarray, probabilities: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positives and negatives at each distinct probability of the disease, highest first, and that probability."""
    values, positive = probabilities[:, -1], labels == probabilities.shape[1] - 1
    positives, negatives = ranks(positive, values, np.ones((1, len(labels))))
    return positives[0, ::-1], negatives[0, ::-1], np.unique(values)[::-1]


def _where_both(table: pd.DataFrame, positives: np.ndarray, negatives: np.ndarray) -> pd.DataFrame:
    return table.round(DECIMALS) if positives.any() and negatives.any() else table[:0]
