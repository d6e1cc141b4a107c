"""What remains of a model's AUROC when the images of the test part get worse."""

from pathlib import Path

import numpy as np
import pandas as pd

from graft.common.documents import check_schema, clean
from graft.common.seeds import generator
from graft.data.domain import Domain
from graft.explain import corruptions
from graft.networks.saved import Model
from graft.statistics.cases import Cases, ResampledScores, estimates, gain, score_model
from graft.statistics.formatting import format_estimate
from graft.statistics.scores import PROBABILITY_DECIMALS

SCHEMA = Path(__file__).with_name("robustness.schema.json")


def robustness(
    name: str,
    model: Model,
    domain: Domain,
    rows: np.ndarray,
    resamples: int,
    confidence: float,
    seed: int,
) -> dict:
    """robustness.json as plain JSON values, checked: AUROC on the test part for each corruption and amount.

    `drop` is the AUROC on the clean images less that on the corrupted ones, on the same resamples of the patients.
    """
    luck = generator(seed, "bootstrap", domain.name, "test")
    cases = Cases.of(domain.index.iloc[rows], domain.classes, resamples, luck)
    images, known, spacing = (
        domain.images[rows],
        domain.clinical(rows),
        domain.preprocessing.get("spacing"),
    )

    def judged(images: np.ndarray) -> ResampledScores:
        return score_model(cases, model.predict(images, known).round(PROBABILITY_DECIMALS), None)

    unharmed, table = judged(images), []
    for corruption in corruptions.sweep(images.ndim - 2, spacing):
        random = generator(seed, "corrupt", corruption.name, str(corruption.amount))
        harmed = judged(corruptions.corrupt(corruption, images, spacing, random))
        table.append(
            {
                "corruption": corruption.name,
                "amount": corruption.amount,
                "unit": corruption.unit,
                "auroc": estimates(harmed, confidence)["auroc"],
                "drop": gain(unharmed, harmed, confidence),
            }
        )
    told = clean(
        {
            "model": name,
            "part": "test",
            "auroc": estimates(unharmed, confidence)["auroc"],
            "rows": table,
        }
    )
    check_schema(told, SCHEMA)
    return told


def curves(told: dict) -> pd.DataFrame:
    """robustness.json as a table for plots: corruption, unit, amount, auroc, low, high; each begins at the amount 0."""
    rows = []
    for row in told["rows"]:
        if not rows or rows[-1]["corruption"] != row["corruption"]:
            rows.append(_point(row, 0.0, told["auroc"]))
        rows.append(_point(row, row["amount"], row["auroc"]))
    return pd.DataFrame(rows)


def weakest(told: dict) -> list[str]:
    """A line on the corruption that costs most; none where AUROC is not defined."""
    known = [row for row in told["rows"] if row["drop"]["value"] is not None]
    if not known:
        return []
    worst = max(known, key=lambda row: row["drop"]["value"])
    drop = worst["drop"]
    return [
        f"{told['model']}: of the corruptions {worst['corruption']} of {worst['amount']:g} {worst['unit']} costs most, "
        f"AUROC {told['auroc']['value']:.3f} to {worst['auroc']['value']:.3f} "
        f"({format_estimate(drop, '+')} less)"
    ]


def _point(row: dict, amount: float, auroc: dict) -> dict:
    bounds = {name: auroc[name] for name in ("low", "high")}
    return {
        "corruption": row["corruption"],
        "unit": row["unit"],
        "amount": amount,
        "auroc": auroc["value"],
        **bounds,
    }
