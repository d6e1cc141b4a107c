"""How the AUROC of a model falls when the images of the test part get worse: robustness.json."""

from pathlib import Path

import numpy as np
import pandas as pd

from graft.common.documents import check_schema, clean
from graft.common.seeds import generator
from graft.data.batches import consecutive
from graft.data.domain import Domain
from graft.data.image_rows import ImageRows
from graft.explain.corruptions import (
    OF_WINDOW,
    Corruption,
    corrupt_images,
    corruption_sweep,
)
from graft.networks.saved import BATCH, Model
from graft.statistics.cases import Cases, ResampledScores, estimates, gain, score_model
from graft.statistics.formatting import format_estimate
from graft.statistics.scores import PROBABILITY_DECIMALS

CLEAN = Corruption("noise", 0.0, OF_WINDOW)  # changes nothing
SCHEMA = Path(__file__).with_name("robustness.schema.json")


def measure_robustness(
    name: str,
    model: Model,
    domain: Domain,
    rows: np.ndarray,
    resamples: int,
    confidence: float,
    seed: int,
) -> dict:
    """Make robustness.json: the AUROC on the test part for each corruption and amount, with `drop`.

    `drop` is the AUROC on the clean images minus that on the corrupted ones, on the same resamples
    of the patients.

    Args:
        name: the name of the model.
        model: the model.
        domain: the target.
        rows: the rows of the test part in the domain's index.
        resamples: the number of bootstrap resamples.
        confidence: the level of the intervals.
        seed: decides the resamples and the noise.

    Returns:
        Plain JSON values that conform to the schema.
    """
    draws = generator(seed, "bootstrap", domain.name, "test")
    cases = Cases.of(domain.index.iloc[rows], domain.classes, resamples, draws)
    covariates = domain.clinical(rows)
    images = ImageRows(domain.images, rows)
    patch = images.shape[2:]
    spacing = domain.preprocessing.get("spacing")

    def scores_with(corruption: Corruption) -> ResampledScores:
        noise = generator(seed, "corrupt", corruption.name, str(corruption.amount))
        chunks = []
        for part in consecutive(len(rows), BATCH):  # so that few images are in memory
            corrupted = corrupt_images(corruption, images[part], spacing, noise)
            chunks.append(model.predict(corrupted, covariates.iloc[part]))
        probabilities = np.concatenate(chunks).round(PROBABILITY_DECIMALS)
        return score_model(cases, probabilities, None)

    clean_scores = scores_with(CLEAN)
    table = []
    for corruption in corruption_sweep(len(patch), spacing):
        scores = scores_with(corruption)
        table.append(
            {
                "corruption": corruption.name,
                "amount": corruption.amount,
                "unit": corruption.unit,
                "auroc": estimates(scores, confidence)["auroc"],
                "drop": gain(clean_scores, scores, confidence),
            }
        )
    auroc = estimates(clean_scores, confidence)["auroc"]
    content = {"model": name, "part": "test", "auroc": auroc, "rows": table}
    document = {key: clean(value) for key, value in content.items()}
    check_schema(document, SCHEMA)
    return document


def robustness_curves(document: dict) -> pd.DataFrame:
    """Make a table of robustness.json for plots; each curve starts at the amount 0.

    The columns are corruption, unit, amount, auroc, low and high.
    """
    points = []
    previous = None
    for row in document["rows"]:
        if row["corruption"] != previous:
            points.append(_curve_point(row, 0.0, document["auroc"]))
        points.append(_curve_point(row, row["amount"], row["auroc"]))
        previous = row["corruption"]
    return pd.DataFrame(points)


def summarise_robustness(document: dict) -> list[str]:
    """Describe the corruption that costs most in one line; no line if AUROC is not defined."""
    defined = [row for row in document["rows"] if row["drop"]["value"] is not None]
    if not defined:
        return []
    worst = max(defined, key=lambda row: row["drop"]["value"])
    corruption = f"{worst['corruption']} of {worst['amount']:g} {worst['unit']}"
    before, after = document["auroc"]["value"], worst["auroc"]["value"]
    return [
        f"{document['model']}: among the corruptions, {corruption} costs most: AUROC {before:.3f} "
        f"falls to {after:.3f} (by {format_estimate(worst['drop'], '+')})"
    ]


def _curve_point(
    row: dict,
    amount: float,
    auroc: dict,
) -> dict:
    return {
        "corruption": row["corruption"],
        "unit": row["unit"],
        "amount": amount,
        "auroc": auroc["value"],
        "low": auroc["low"],
        "high": auroc["high"],
    }
