"""What conformal sets are worth: coverage by class, sizes, how often they have one class."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from graft.common.documents import clean
from graft.common.vocabulary import TESTS
from graft.conformal.quantiles import Conformal, predict_sets
from graft.statistics.cases import Cases, estimates, score_cases
from graft.statistics.scores import ratio

SCHEMA = Path(__file__).with_name("conformal.schema.json")


def conformal_block(
    conformal: Conformal,
    model: str,
    probabilities: Mapping[str, np.ndarray],
    cases: Mapping[str, Cases],
    confidence: float,
) -> dict:
    """Make the block `conformal` of metrics.json.

    Args:
        conformal: the quantiles of the model.
        model: its name.
        probabilities: by part, (N, C), calibrated.
        cases: by part.
        confidence: of the intervals, which are over patients.
    """
    classes = {}
    for name, quantile in conformal.quantiles.items():
        classes[name] = {"cases": conformal.cases[name], "quantile": quantile}
    block = {"model": model, "miscoverage": conformal.miscoverage, "classes": classes}
    for part in TESTS:
        block[part] = None
        if part in cases:
            block[part] = part_entry(conformal, probabilities[part], cases[part], confidence)
    return clean(block)


def part_entry(
    conformal: Conformal, probabilities: np.ndarray, cases: Cases, confidence: float
) -> dict:
    """Score the sets of N lesions (N, C): coverage by class, size, shares of two kinds of sets."""
    kept = predict_sets(probabilities, conformal.quantiles)  # (N, C)
    sizes = kept.sum(1)
    covered = kept[np.arange(len(kept)), cases.labels]
    classes = list(conformal.quantiles)

    def scores(weights: np.ndarray) -> dict[str, np.ndarray]:
        total = weights.sum(1)
        found = {
            "set_size": ratio(weights @ sizes, total),
            "not_one_class": ratio(weights @ (sizes != 1), total),
            "empty": ratio(weights @ (sizes == 0), total),
        }
        for code, name in enumerate(classes):
            of_class = weights * (cases.labels == code)
            found[f"coverage {name}"] = ratio(of_class @ covered, of_class.sum(1))
        return found

    found = estimates(score_cases(cases, scores), confidence)
    coverage = {name: found.pop(f"coverage {name}") for name in classes}
    return {"coverage": coverage, **found}


def failures(block: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping]]:
    """Yield the part, the class and the coverage wherever its interval lies below 1 - α.

    Args:
        block: `conformal` of metrics.json.
    """
    wanted = 1 - block["miscoverage"]
    for part in TESTS:
        for name, found in (block[part] or {}).get("coverage", {}).items():
            if found["high"] is not None and found["high"] < wanted:
                yield part, name, found
