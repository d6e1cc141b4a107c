"""Tables of every case's prediction, and of every model's curves for the plots."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from graft.common.vocabulary import TESTS
from graft.evaluation.tuning import Tuned
from graft.statistics import curves
from graft.statistics.cases import Assessment, Cases
from graft.statistics.scores import call


def prediction_table(
    cases: Mapping[str, Cases],
    classes: list[str],
    models: Mapping[str, Assessment],
) -> pd.DataFrame:
    """Return one row for each test or external case and model.

    The columns are sample, patient, part, site, label, model, p_<class> for each class, predicted.
    """
    columns = [f"p_{label}" for label in classes]
    tables = []
    for part in _available(cases):
        known = cases[part].rows[["sample", "patient", "site", "label"]].reset_index(drop=True)
        known.insert(2, "part", part)
        for name, model in models.items():
            probabilities = model.probabilities[part]
            predicted = pd.DataFrame(probabilities, columns=columns)
            predicted.insert(0, "model", name)
            called = call(probabilities, model.threshold)
            predicted["predicted"] = np.array(classes, dtype=object)[called]
            tables.append(pd.concat([known, predicted], axis=1))
    return pd.concat(tables, ignore_index=True)


def plot_tables(
    cases: Mapping[str, Cases],
    classes: list[str],
    models: Mapping[str, Assessment],
    tuned: Mapping[str, Tuned],
    confidence: float,
) -> dict[str, pd.DataFrame]:
    """Return the tables roc, precision_recall, calibration, confusion and decision.

    Each begins with the columns part and model. `calibration` also has the column calibration:
    none, or the calibrator. `decision` has two more models, "all" and "none", which call the
    disease in every case and in none.
    """
    names = ("roc", "precision_recall", "calibration", "confusion", "decision")
    stacks: dict[str, list[pd.DataFrame]] = {name: [] for name in names}
    for part in _available(cases):
        labels = cases[part].labels
        for name, model in models.items():
            probabilities = model.probabilities[part]
            calibrated = {"none": probabilities, **tuned[name].calibrated(probabilities)}
            tables = {
                "roc": curves.roc(labels, probabilities),
                "precision_recall": curves.precision_recall(labels, probabilities),
                "calibration": _calibration_curves(cases[part], calibrated, confidence),
                "confusion": curves.confusion_table(model.confusions[part], classes),
                "decision": curves.decision(labels, probabilities),
            }
            for kind, table in tables.items():
                stacks[kind].append(_label(table, part, name))
        for name, probability in (("all", 1.0), ("none", 0.0)):
            everybody = np.full((len(labels), len(classes)), probability)
            table = curves.decision(labels, everybody)
            stacks["decision"].append(_label(table, part, name))
    return {kind: pd.concat(stack, ignore_index=True) for kind, stack in stacks.items()}


def _calibration_curves(
    cases: Cases,
    calibrated: Mapping[str, np.ndarray],
    confidence: float,
) -> pd.DataFrame:
    tables = []
    for name, probabilities in calibrated.items():
        table = curves.calibration(cases.labels, probabilities, cases.patient, confidence)
        table.insert(0, "calibration", name)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _label(table: pd.DataFrame, part: str, model: str) -> pd.DataFrame:
    """Put the columns part and model in front."""
    columns = ["part", "model", *table.columns]
    return table.assign(part=part, model=model)[columns]


def _available(cases: Mapping[str, Cases]) -> list[str]:
    """Return the test parts that exist."""
    return [part for part in TESTS if part in cases]
