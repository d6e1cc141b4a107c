"""The tables that evaluate leaves: every case's prediction, and every model's curves stacked for the plots."""

from collections.abc import Mapping

import pandas as pd

from graft.curves import calibration, confusion_table, precision_recall, roc
from graft.judge import Assessment, Cases
from graft.scores import call
from graft.split import TESTS


def predictions(cases: Mapping[str, Cases], classes: list[str], models: Mapping[str, Assessment]) -> pd.DataFrame:
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


def plots(cases: Mapping[str, Cases], classes: list[str], models: Mapping[str, Assessment]) -> dict[str, pd.DataFrame]:
    """roc, precision_recall, calibration and confusion, each with the columns part and model in front."""
    stacks: dict[str, list[pd.DataFrame]] = {"roc": [], "precision_recall": [], "calibration": [], "confusion": []}
    for part in (part for part in TESTS if part in cases):
        for name, model in models.items():
            known = cases[part].labels, model.probabilities[part]
            matrix = confusion_table(model.parts[part].confusion, classes)
            tables = roc(*known), precision_recall(*known), calibration(*known), matrix
            for stack, table in zip(stacks.values(), tables, strict=True):
                stack.append(table.assign(part=part, model=name)[["part", "model", *table.columns]])
    return {name: pd.concat(stack, ignore_index=True) for name, stack in stacks.items()}
