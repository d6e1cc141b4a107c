"""The tables of a run: random predictions and their curves."""

import numpy as np
import pandas as pd

from graft.data.predictions import probability_columns
from graft.statistics import curves
from tests.run_metrics import AUROC, SIZES

CALIBRATION_POWERS = {"none": 1.0, "temperature": 0.6, "isotonic": 0.8}


def draw_predictions(classes: list[str], parts: list[str]) -> pd.DataFrame:
    """The probabilities that each model gives to each case, in the form of predictions.csv."""
    rng = np.random.default_rng(4)
    tables = []
    for part in parts:
        labels = rng.integers(0, len(classes), SIZES[part]["lesions"])
        for model in AUROC:
            table = predictions_of_model(rng, labels, model, classes)
            tables.append(table.assign(part=part))
    return pd.concat(tables, ignore_index=True)


def predictions_of_model(
    rng: np.random.Generator, labels: np.ndarray, model: str, classes: list[str]
) -> pd.DataFrame:
    """Probabilities that favour the actual class, the more the higher the model's AUROC."""
    auroc_on_test, _ = AUROC[model]
    favour = 4 * (auroc_on_test - 0.5)
    noise = rng.normal(size=(len(labels), len(classes)))
    actual = np.eye(len(classes))[labels]  # (N, C), 1 at the actual class
    odds = np.exp(noise + favour * actual)
    probabilities = odds / odds.sum(1, keepdims=True)
    predicted = probabilities.argmax(1)
    table = pd.DataFrame(probabilities.round(8), columns=probability_columns(classes))
    table["predicted"] = [classes[code] for code in predicted]
    table["label"] = [classes[code] for code in labels]
    table["sample"] = range(len(labels))
    table["patient"] = "81f845995db91ade"
    table["site"] = "site-a"
    table["model"] = model
    return table


def curve_tables(predictions: pd.DataFrame, classes: list[str]) -> dict[str, pd.DataFrame]:
    """The tables of plots/ by name."""
    tables: dict[str, list[pd.DataFrame]] = {
        "roc": [],
        "precision_recall": [],
        "calibration": [],
        "decision": [],
    }
    columns = probability_columns(classes)
    for (part, model), rows in predictions.groupby(["part", "model"], sort=False):
        labels = rows["label"].map(classes.index).to_numpy()
        probabilities = rows[columns].to_numpy()
        samples = rows["sample"].to_numpy()
        made = {
            "roc": curves.roc(labels, probabilities),
            "precision_recall": curves.precision_recall(labels, probabilities),
            "calibration": calibration_table(labels, probabilities, samples),
            "decision": curves.decision(labels, probabilities),
        }
        for kind, table in made.items():
            tables[kind].append(table.assign(part=part, model=model))
        if model == "scratch":
            treat_all = curves.decision(labels, np.ones_like(probabilities))
            treat_none = curves.decision(labels, np.zeros_like(probabilities))
            tables["decision"].append(treat_all.assign(part=part, model="all"))
            tables["decision"].append(treat_none.assign(part=part, model="none"))
    joined = {}
    for kind, parts in tables.items():
        joined[kind] = pd.concat(parts, ignore_index=True)
    return joined


def calibration_table(
    labels: np.ndarray, probabilities: np.ndarray, samples: np.ndarray
) -> pd.DataFrame:
    tables = []
    for kind, power in CALIBRATION_POWERS.items():
        powered = probabilities**power
        calibrated = powered / powered.sum(1, keepdims=True)
        table = curves.calibration(labels, calibrated, samples, 0.95)
        tables.append(table.assign(calibration=kind))
    return pd.concat(tables)
