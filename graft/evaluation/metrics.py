"""metrics.json: what is in it, in which order, checked against metrics.schema.json before it is written."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from graft.common.documents import DECIMALS, check_schema, clean
from graft.common.vocabulary import REFERENCE, TESTS
from graft.evaluation import subgroups
from graft.evaluation.ranking_outcome import came_true
from graft.evaluation.settings import Evaluate
from graft.evaluation.study import Study
from graft.evaluation.tuning import Tuned, describe_calibration, describe_points
from graft.statistics.cases import Assessment, estimates, gain, scores_by_class
from graft.statistics.compare import compare
from graft.statistics.scores import PER_CLASS
from graft.statistics.verdict import decide

SCHEMA_VERSION = 2
SCHEMA = Path(__file__).with_name("metrics.schema.json")
COVARIATES = "covariates_only"  # the baseline of a target that names covariates
INTERVAL = "bca"  # of scores and gains, see graft.statistics.bootstrap.bend


def assemble(
    source: Study,
    target: Study,
    pretrained: Assessment | None,
    models: dict[str, Assessment],
    baselines: dict[str, Assessment],
    tuned: Mapping[str, Tuned],
    settings: Evaluate,
    evidence: Mapping[str, object],
    withheld: Assessment | None = None,
) -> dict:
    """The whole of metrics.json as plain JSON values, checked: the same keys whatever the parameters.

    `pretrained` is None where its weights were learnt elsewhere, so that it knows no class of the source.
    `tuned` has what was fitted on the validation part for each of the models and baselines.
    `evidence` has the blocks that are there already and stand as they are: `checks`, what was looked at for a leak;
    `hashes` of data and models; `sources`, `learning_curve` and `cross_validation` as their stages left them.
    `withheld` is the chosen model, judged without the covariates that it learnt with.
    """
    confidence, chosen = settings.confidence, choose(models)
    size_alone = source.assess_size_alone()
    told = {
        name: {
            **describe(model, target.domain.classes, confidence),
            "calibration": describe_calibration(tuned[name], model, target.cases, confidence),
            "operating_points": describe_points(tuned[name], model, target.cases, confidence),
        }
        for name, model in (models | baselines).items()
    }
    metrics = {
        "schema_version": SCHEMA_VERSION,
        "bootstrap": {
            "unit": "patient",
            "resamples": settings.resamples,
            "confidence": confidence,
            "interval": INTERVAL,
        },
        "margin": settings.margin,
        "source": {
            "name": source.domain.name,
            "counts": source.counts(),
            "pretrained": pretrained and describe_auroc(pretrained, confidence),
            "size_alone": describe_auroc(size_alone, confidence),
            "gain_over_size": pretrained and describe_gain(pretrained, size_alone, confidence),
        },
        "target": {"name": target.domain.name, "counts": target.counts()},
        "models": {name: told[name] for name in models},
        "baselines": {name: told[name] for name in baselines}
        | ({} if COVARIATES in baselines else {COVARIATES: None}),
        "transfer_gain": compare(
            target.cases, models, REFERENCE, TESTS, confidence, settings.margin
        ),
        "chosen": {"model": chosen, "by": "validation log loss"},
        "ablation": withheld
        and describe_ablation(models[chosen], withheld, baselines[COVARIATES], confidence),
        "subgroups": subgroups.describe(target, chosen, models[chosen], confidence),
    }
    metrics = clean(metrics) | dict(evidence)
    repeated = evidence["learning_curve"], evidence["cross_validation"]
    outcomes = came_true(evidence["sources"], metrics["models"], *repeated)
    metrics["sources"] = {**evidence["sources"], "came_true": outcomes}
    # As rounded, as the reader sees it.
    metrics |= decide(
        metrics["transfer_gain"]["transfer"]["test"], evidence["learning_curve"], settings.margin
    )
    check(metrics)
    return metrics


def describe(assessment: Assessment, classes: list[str], confidence: float) -> dict:
    """One model's entry: threshold, validation (values), test and external (values with intervals, or None)."""
    parts = assessment.parts
    return {
        "threshold": assessment.threshold,
        "validation": parts["validation"].point,
        **{
            part: _part(assessment, part, classes, confidence) if part in parts else None
            for part in TESTS
        },
    }


def describe_auroc(assessment: Assessment, confidence: float) -> dict:
    """AUROC with its interval on each of TESTS, or None."""
    parts = assessment.parts
    return {
        part: {"auroc": estimates(parts[part], confidence)["auroc"]} if part in parts else None
        for part in TESTS
    }


def describe_gain(model: Assessment, reference: Assessment, confidence: float) -> dict:
    """AUROC less that of the reference, paired, on each of TESTS, or None."""
    parts = reference.parts
    return {
        part: gain(model.parts[part], parts[part], confidence) if part in parts else None
        for part in TESTS
    }


def describe_ablation(
    both: Assessment, image: Assessment, covariates: Assessment, confidence: float
) -> dict:
    """What the image and the covariates each know: AUROC of both, of either alone, and what each adds, paired."""
    alone = {"both": both, "image_only": image, COVARIATES: covariates}
    return {
        **{name: describe_auroc(assessment, confidence) for name, assessment in alone.items()},
        "gain_of_image": describe_gain(both, covariates, confidence),
        "gain_of_covariates": describe_gain(both, image, confidence),
    }


def choose(models: Mapping[str, Assessment]) -> str:
    """The model with the lowest log loss on the validation part; of equal ones the first."""
    return min(
        models, key=lambda name: round(models[name].parts["validation"].point["log_loss"], DECIMALS)
    )


def check(metrics: dict) -> None:
    """Compare with metrics.schema.json; raises jsonschema.ValidationError, which is a fault in graft."""
    check_schema(metrics, SCHEMA)


def headline(metrics: dict) -> dict:
    """The few numbers of metrics.json that fit a row of `dvc exp show`."""
    models = metrics["models"]
    return {
        "validation": {
            "log_loss": {name: model["validation"]["log_loss"] for name, model in models.items()}
        },
        **{
            part: {
                "auroc": {
                    name: model[part] and model[part]["auroc"]["value"]
                    for name, model in models.items()
                }
            }
            for part in TESTS
        },
        "gain": {part: _short_gain(metrics["transfer_gain"]["transfer"][part]) for part in TESTS},
    }


def _part(assessment: Assessment, part: str, classes: list[str], confidence: float) -> dict:
    confusion = assessment.confusions[part]
    shares = scores_by_class(confusion, classes)
    matrix = {
        actual: {called: confusion[i, j] for j, called in enumerate(classes)}
        for i, actual in enumerate(classes)
    }
    return {
        **estimates(assessment.parts[part], confidence),
        "per_class": shares,
        "macro": {
            kind: float(np.mean([share[kind] for share in shares.values()])) for kind in PER_CLASS
        },
        "confusion": matrix,
    }


def _short_gain(estimate: dict | None) -> dict:
    return {name: estimate and estimate[name] for name in ("value", "low", "high", "p")}
