"""The content of metrics.json, which is checked by metrics.schema.json before it is written."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graft.common.documents import check_schema, clean
from graft.common.vocabulary import REFERENCE, TESTS
from graft.evaluation.entries import (
    COVARIATES,
    SIZE,
    ablation_entry,
    auroc_entry,
    gain_entry,
    model_entry,
)
from graft.evaluation.evaluated_domain import EvaluatedDomain
from graft.evaluation.ranking_outcome import compare_ranking
from graft.evaluation.scored import ScoredModels
from graft.evaluation.settings import Evaluate
from graft.evaluation.subgroups import score_subgroups
from graft.evaluation.tuning import Tuned, calibration_entry, operating_points_entry
from graft.statistics.cases import Assessment
from graft.statistics.compare import compare
from graft.statistics.verdict import decide

SCHEMA_VERSION = 6
SCHEMA = Path(__file__).with_name("metrics.schema.json")
CHOSEN_BY = {"part": "validation log loss", "folds": "out-of-fold log loss"}
INTERVAL = "bca"  # of scores and gains, see graft.statistics.correction


def assemble_metrics(
    source: EvaluatedDomain,
    target: EvaluatedDomain,
    pretrained: Assessment | None,
    scored: ScoredModels,
    settings: Evaluate,
    evidence: Mapping[str, Any],
) -> dict:
    """Assemble metrics.json as plain JSON values, with the same keys for all parameters.

    Args:
        source: the source domain.
        target: the target domain.
        pretrained: assessed on the source; None if its weights come from elsewhere, because its
            head is then untrained.
        scored: the models and baselines of the target.
        settings: the parameters of the evaluation.
        evidence: blocks that are copied: `checks` for leaks; `hashes` of data and models;
            `boosting_alphas` of the members; `sources`, `learning_curve` and `cross_validation` as
            their stages wrote them; `tasks` of the source; `conformal`, `refusals` and
            `patient_effect` of the chosen model.

    Raises:
        jsonschema.ValidationError: if the result breaks the schema, which is a fault in graft.
    """
    confidence = settings.confidence
    models, baselines, chosen = scored.models, scored.baselines, scored.chosen
    ablation = None
    if scored.withheld:
        known = baselines[COVARIATES]
        ablation = ablation_entry(models[chosen], scored.withheld, known, confidence)
    baseline_blocks: dict[str, dict | None] = {}
    baseline_blocks |= _model_blocks(baselines, scored.tuned, target, confidence)
    baseline_blocks.setdefault(COVARIATES, None)  # a target without covariates has this key too
    gains = compare(target.cases, models, REFERENCE, TESTS, confidence, settings.margin)
    scores = {
        "schema_version": SCHEMA_VERSION,
        "bootstrap": {
            "unit": "patient" if target.domain.patients_known else "lesion",
            "resamples": settings.resamples,
            "confidence": confidence,
            "interval": INTERVAL,
        },
        "margin": settings.margin,
        "source": _source_block(source, pretrained, confidence),
        "target": {
            "name": target.domain.name,
            "counts": target.counts(),
            "gain_over_size": gain_entry(models[chosen], baselines[SIZE], confidence),
        },
        "validated": _validated(target),
        "models": _model_blocks(models, scored.tuned, target, confidence),
        "baselines": baseline_blocks,
        "transfer_gain": gains,
        "chosen": {"model": chosen, "by": CHOSEN_BY[target.validated_by]},
        "ablation": ablation,
    }
    subgroups = score_subgroups(target, chosen, models[chosen], confidence)
    blocks = {**evidence, "subgroups": clean(subgroups)}
    metrics = _add_evidence(clean(scores), blocks, settings)
    check_metrics(metrics)
    return metrics


def check_metrics(metrics: dict) -> None:
    """Check that metrics conform to metrics.schema.json.

    Raises:
        jsonschema.ValidationError: if they do not, which is a fault in graft.
    """
    check_schema(metrics, SCHEMA)


def headline(metrics: dict) -> dict:
    """Return the few numbers of metrics.json that fit a row of `dvc exp show`."""
    models = metrics["models"]
    losses = {name: model["validation"]["log_loss"] for name, model in models.items()}
    numbers: dict[str, dict] = {"validation": {"log_loss": losses}}
    for part in TESTS:
        aurocs = {}
        for name, model in models.items():
            aurocs[name] = model[part] and model[part]["auroc"]["value"]
        numbers[part] = {"auroc": aurocs}
    numbers["gain"] = {}
    for part in TESTS:
        gain = metrics["transfer_gain"]["transfer"][part]
        figures = {name: gain and gain[name] for name in ("value", "low", "high", "p")}
        numbers["gain"][part] = figures
    return numbers


def _validated(target: EvaluatedDomain) -> dict:
    """Return by what thresholds and choices were made: the validation part or folds."""
    by = target.validated_by
    index = target.domain.index.iloc[target.validating]
    known = target.domain.patients_known
    return {
        "by": by,
        "folds": int(target.folds.max()) if by == "folds" else None,
        "patients": int(index["patient"].nunique()) if known else None,
        "lesions": len(index),
    }


def _source_block(
    source: EvaluatedDomain,
    pretrained: Assessment | None,
    confidence: float,
) -> dict:
    size_alone = source.assess_size_alone()
    block: dict[str, Any] = {
        "name": source.domain.name,
        "counts": source.counts(),
        "pretrained": None,
        "size_alone": auroc_entry(size_alone, confidence),
        "gain_over_size": None,
    }
    if pretrained:
        block["pretrained"] = auroc_entry(pretrained, confidence)
        block["gain_over_size"] = gain_entry(pretrained, size_alone, confidence)
    return block


def _model_blocks(
    models: Mapping[str, Assessment],
    tuned: Mapping[str, Tuned],
    target: EvaluatedDomain,
    confidence: float,
) -> dict[str, dict]:
    blocks = {}
    for name, model in models.items():
        fitted = tuned[name]
        blocks[name] = {
            **model_entry(model, target.domain.classes, confidence),
            "calibration": calibration_entry(fitted, model, target.cases, confidence),
            "operating_points": operating_points_entry(fitted, model, target.cases, confidence),
        }
    return blocks


def _add_evidence(metrics: dict, evidence: Mapping[str, Any], settings: Evaluate) -> dict:
    """Add the blocks of other stages and what follows from them and from the rounded scores."""
    if metrics["bootstrap"]["unit"] == "lesion":
        evidence = {name: without_patients(block) for name, block in evidence.items()}
    sources = evidence["sources"]
    learning_curve = evidence["learning_curve"]
    cross_validation = evidence["cross_validation"]
    outcome = compare_ranking(sources, metrics["models"], learning_curve, cross_validation)
    gain = metrics["transfer_gain"]["transfer"]["test"]
    return {
        **metrics,
        **evidence,
        "sources": {**sources, "came_true": outcome},
        **decide(gain, learning_curve, settings.margin, settings.confidence),
    }


def without_patients(block: Any) -> Any:
    """Replace each number of patients by None, because patients are unknown."""
    if isinstance(block, list):
        return [without_patients(item) for item in block]
    if not isinstance(block, Mapping):
        return block
    found = {key: without_patients(value) for key, value in block.items()}
    if "patients" in found:
        found["patients"] = None
    return found
