"""The tables that evaluate leaves: every case's prediction, and every model's curves stacked for the plots."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from graft.common.vocabulary import TESTS
from graft.evaluation.tuning import Tuned
from graft.statistics.cases import Assessment, Cases
from graft.statistics.curves import calibration, confusion_table, decision, precision_recall, roc
from graft.statistics.scores import call


def predictions(
    cases: Mapping[str, Cases], classes: list[str], models: Mapping[str, Assessment]
) -> pd.DataFrame:
    """One row for each test or external case and model, with the columns
    sample, patient, part, site, label, model, p_<class> for each class, predicted.
    """
    tables = []
    for part in (part for part in TESTS if part in cases):
        known = cases[part].rows[["sample", "patient", "site", "label"]].reset_index(drop=True)
        known.insert(2, "part", part)
        for name, model in models.items():
            probabilities = model.probabilities[part]
            said = pd.DataFrame(probabilities, columns=[f"p_{label}" for label in classes])
            said.insert(0, "model", name)
            said["predicted"] = [classes[code] for code in call(probabilities, model.threshold)]
            tables.append(pd.concat([known, said], axis=1))
    return pd.concat(tables, ignore_index=True)


def plots(
    cases: Mapping[str, Cases],
    classes: list[str],
    models: Mapping[str, Assessment],
    tuned: Mapping[str, Tuned],
    confidence: float,
) -> dict[str, pd.DataFrame]:
    """roc, precision_recall, calibration, confusion and decision, each with the columns part and model in front.

    calibration also has the column calibration: none, or by what `tuned` has for the model. `decision` has two models
    more, "all" and "none": the disease called in everybody, and in nobody.
    """
    names = "roc", "precision_recall", "calibration", "confusion", "decision"
    stacks: dict[str, list[pd.DataFrame]] = {name: [] for name in names}
    for part in (part for part in TESTS if part in cases):
        labels = cases[part].labels
        for name, model in models.items():
            known = labels, model.probabilities[part]
            matrix = confusion_table(model.confusions[part], classes)
            reliability = _reliability(cases[part], tuned[name].calibrated(known[1]), confidence)
            tables = roc(*known), precision_recall(*known), reliability, matrix, decision(*known)
            for stack, table in zip(stacks.values(), tables, strict=True):
                stack.append(_told(table, part, name))
        for name, said in (("all", 1.0), ("none", 0.0)):
            everybody = np.full((len(labels), len(classes)), said)
            stacks["decision"].append(_told(decision(labels, everybody), part, name))
    return {name: pd.concat(stack, ignore_index=True) for name, stack in stacks.items()}


def _reliability(
    cases: Cases, calibrated: Mapping[str, np.ndarray], confidence: float
) -> pd.DataFrame:
    tables = []
    for name, probabilities in calibrated.items():
        table = calibration(cases.labels, probabilities, cases.patient, confidence)
        table.insert(0, "calibration", name)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _told(table: pd.DataFrame, part: str, model: str) -> pd.DataFrame:
    """The table with the columns part and model in front."""
    return table.assign(part=part, model=model)[["part", "model", *table.columns]]
