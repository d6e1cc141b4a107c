"""The block of metrics.json about the privacy of the pretrained network, and what it costs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graft.charts.numbers import difference, estimate, number
from graft.common.documents import clean
from graft.common.files import InputError
from graft.common.vocabulary import SYNTHETIC
from graft.data.predictions import read_predictions
from graft.data.sealed_tables import open_sealed_table
from graft.data.split import describe_lesions
from graft.evaluation.evaluated_domain import EvaluatedDomain
from graft.keys.find import NO_PROTECTION
from graft.statistics.cases import Assessment, assess, estimates, gain
from graft.statistics.scores import PROBABILITY_DECIMALS

PART = "test"  # of the source, on which the two networks are compared


def privacy_block(
    card: Mapping[str, Any],
    path: Path,
    source: EvaluatedDomain,
    private: Assessment | None,
    confidence: float,
) -> dict | None:
    """Make the block `privacy` of metrics.json; None if pretraining was not private.

    Args:
        card: of the pretrained network.
        path: the table of what the same network predicts if it is trained without privacy.
        source: the domain of both.
        private: the scores of the pretrained network.
        confidence: of the intervals.

    Raises:
        InputError: if the table cannot be used or lacks a lesion.
    """
    if "private_training" not in card or private is None:
        return None
    without = _assess(path, source)
    (guarantee,) = card["privacy"]
    aurocs = clean(
        {
            "private": estimates(private.parts[PART], confidence)["auroc"],
            "without": estimates(without.parts[PART], confidence)["auroc"],
            "difference": gain(private.parts[PART], without.parts[PART], confidence),
        }
    )
    details = card["private_training"]
    block = {**guarantee, **details, "auroc": aurocs}
    return {**block, "sentence": _sentence(block, source.domain.patient_key == SYNTHETIC)}


def _assess(path: Path, source: EvaluatedDomain) -> Assessment:
    """Score the network without privacy, as every other model is scored."""
    content = open_sealed_table(path, describe_lesions(source.domain.index))
    table = read_predictions(path, ["sample"], source.domain.classes, content=content)
    table = table.set_index("sample")
    probabilities = {}
    for part in source.cases:
        rows = source.rows.get(part)
        if rows is None:
            continue  # no validation part
        missing = [row for row in rows if row not in table.index]
        if missing:
            raise InputError(
                f"{path}: lacks {len(missing)} lesions of the part {part}, expected all of them"
            )
        probabilities[part] = table.loc[rows].to_numpy().round(PROBABILITY_DECIMALS)
    return assess(source.cases, probabilities)


def _sentence(block: Mapping[str, Any], synthetic: bool) -> str:
    domain, aurocs = block["domain"], block["auroc"]
    text = (
        f"The network of {domain} was trained with differential privacy towards each of its "
        f"{block['patients']} training patients, with ε = {number(block['epsilon'], 2)} and δ = "
        f"{block['delta']:.1g}. Its AUROC on the test part of {domain} is "
        f"{estimate(aurocs['private'])}, that of the same network without privacy "
        f"{estimate(aurocs['without'])}, and the difference is {difference(aurocs['difference'])}. "
        "Models that started from it are as private towards these patients. They are not private "
        "towards the patients of the target."
    )
    return f"{text} These patients are synthetic; {NO_PROTECTION}." if synthetic else text
