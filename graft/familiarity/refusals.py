"""How many inputs of the target are refused, all of them by mistake."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from graft.common.documents import clean
from graft.common.vocabulary import TESTS
from graft.familiarity.familiar import CHECKS, Reason
from graft.statistics.cases import Cases, estimates, score_cases
from graft.statistics.scores import ratio

SCHEMA = Path(__file__).with_name("refusals.schema.json")
ANY = "any"


def refusals_block(
    model: str,
    reasons: Mapping[str, Sequence[Sequence[Reason]]],
    cases: Mapping[str, Cases],
    confidence: float,
) -> dict:
    """Make the block `refusals` of metrics.json.

    Args:
        model: the name of the model.
        reasons: by part, those to refuse each of its lesions.
        cases: by part.
        confidence: of the intervals, which are over patients.
    """
    block: dict = {"model": model}
    for part in TESTS:
        block[part] = part_entry(reasons[part], cases[part], confidence) if part in cases else None
    return clean(block)


def part_entry(reasons: Sequence[Sequence[Reason]], cases: Cases, confidence: float) -> dict:
    """The share of lesions that any check refuses, and that each of CHECKS refuses."""
    refused = {ANY: np.array([bool(found) for found in reasons])}
    for check in CHECKS:
        refused[check] = np.array([any(r.check == check for r in found) for found in reasons])

    def scores(weights: np.ndarray) -> dict[str, np.ndarray]:
        total = weights.sum(1)
        return {name: ratio(weights @ mask, total) for name, mask in refused.items()}

    return estimates(score_cases(cases, scores), confidence)
