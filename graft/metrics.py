"""metrics.json: what is in it, in which order, checked against metrics.schema.json before it is written."""

from collections.abc import Mapping
from pathlib import Path

import jsonschema
import numpy as np

from graft.files import read_json
from graft.judge import Assessment, Judgement, estimates, gain, shares_of_classes
from graft.sections import Evaluate
from graft.scores import PER_CLASS
from graft.split import TESTS
from graft.study import Study

SCHEMA_VERSION = 2
SCHEMA = Path(__file__).with_name("metrics.schema.json")
COVARIATES = "covariates_only"  # the baseline of a target that names covariates
REFERENCE = "scratch"  # what the transfer gain is measured against
DECIMALS = 6  # the last bits of a sum depend on the number of threads


def assemble(
    source: Study,
    target: Study,
    pretrained: Assessment | None,
    models: Mapping[str, Assessment],
    baselines: Mapping[str, Assessment],
    bootstrap: Evaluate,
    withheld: Assessment | None,
    evidence: Mapping[str, object],
) -> dict:
    """The whole of metrics.json as plain JSON values, checked: the same keys whatever the parameters.

    `pretrained` is None where its weights were learnt elsewhere, so that it knows no class of the source.
    `withheld` is the chosen model, judged without the covariates that it learnt with. `evidence` has further blocks
    as they shall stand: `checks`, what was looked at for a leak, and `hashes` of data and models.
    """
    confidence, classes = bootstrap.confidence, target.domain.classes
    size_alone = source.assess_size_alone()
    metrics = {
        "schema_version": SCHEMA_VERSION,
        "bootstrap": {"unit": "patient", "resamples": bootstrap.resamples, "confidence": confidence},
        "source": {
            "name": source.domain.name,
            "counts": source.counts(),
            "pretrained": pretrained and describe_auroc(pretrained, confidence),
            "size_alone": describe_auroc(size_alone, confidence),
            "gain_over_size": pretrained and describe_gain(pretrained, size_alone, confidence),
        },
        "target": {"name": target.domain.name, "counts": target.counts()},
        "models": {name: describe(model, classes, confidence) for name, model in models.items()},
        "baselines": {
            **{name: describe(baseline, classes, confidence) for name, baseline in baselines.items()},
            **({} if COVARIATES in baselines else {COVARIATES: None}),
        },
        "transfer_gain": {
            name: describe_gain(model, models[REFERENCE], confidence)
            for name, model in models.items()
            if name != REFERENCE
        },
        "chosen": {"model": choose(models), "by": "validation log loss"},
        "ablation": withheld and describe_ablation(models[choose(models)], withheld, baselines[COVARIATES], confidence),
        **evidence,
    }
    metrics = clean(metrics)
    metrics["verdict"] = verdict(metrics["transfer_gain"]["transfer"]["test"])  # as rounded, as the reader sees it
    check(metrics)
    return metrics


def describe(assessment: Assessment, classes: list[str], confidence: float) -> dict:
    """One model's entry: threshold, validation (values), test and external (values with intervals, or None)."""
    parts = assessment.parts
    return {
        "threshold": assessment.threshold,
        "validation": parts["validation"].point,
        **{part: _part(parts[part], classes, confidence) if part in parts else None for part in TESTS},
    }


def describe_auroc(assessment: Assessment, confidence: float) -> dict:
    """AUROC with its interval on each of TESTS, or None."""
    parts = assessment.parts
    return {part: {"auroc": estimates(parts[part], confidence)["auroc"]} if part in parts else None for part in TESTS}


def describe_gain(model: Assessment, reference: Assessment, confidence: float) -> dict:
    """AUROC less that of the reference, paired, on each of TESTS, or None."""
    parts = reference.parts
    return {part: gain(model.parts[part], parts[part], confidence) if part in parts else None for part in TESTS}


def describe_ablation(both: Assessment, image: Assessment, covariates: Assessment, confidence: float) -> dict:
    """What the image and the covariates each know: AUROC of both, of either alone, and what each adds, paired."""
    alone = {"both": both, "image_only": image, COVARIATES: covariates}
    return {
        **{name: describe_auroc(assessment, confidence) for name, assessment in alone.items()},
        "gain_of_image": describe_gain(both, covariates, confidence),
        "gain_of_covariates": describe_gain(both, image, confidence),
    }


def choose(models: Mapping[str, Assessment]) -> str:
    """The model with the lowest log loss on the validation part; of equal ones the first."""
    return min(models, key=lambda name: round(models[name].parts["validation"].point["log_loss"], DECIMALS))


def verdict(estimate: Mapping[str, float | None] | None) -> str:
    """What an interval of a gain says: helps, harms, no difference shown, or not defined."""
    if estimate is None or estimate["low"] is None:
        return "not defined"
    if estimate["low"] > 0:
        return "helps"
    return "harms" if estimate["high"] < 0 else "no difference shown"


def clean(value: object) -> object:
    """The same as plain JSON values: rounded to DECIMALS, NaN as None."""
    if isinstance(value, Mapping):
        return {str(key): clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean(item) for item in value]
    if isinstance(value, float | np.floating):
        return None if np.isnan(value) else round(float(value), DECIMALS) + 0.0  # + 0.0 turns -0.0 into 0.0
    return int(value) if isinstance(value, np.integer) else value


def check(metrics: dict) -> None:
    """Compare with metrics.schema.json; raises jsonschema.ValidationError, which is a fault in graft."""
    jsonschema.Draft202012Validator(read_json(SCHEMA)).validate(metrics)


def headline(metrics: dict) -> dict:
    """The few numbers of metrics.json that fit a row of `dvc exp show`."""
    models = metrics["models"]
    return {
        "validation": {"log_loss": {name: model["validation"]["log_loss"] for name, model in models.items()}},
        **{
            part: {"auroc": {name: model[part] and model[part]["auroc"]["value"] for name, model in models.items()}}
            for part in TESTS
        },
        "gain": {part: _short_gain(metrics["transfer_gain"]["transfer"][part]) for part in TESTS},
    }


def _part(judgement: Judgement, classes: list[str], confidence: float) -> dict:
    shares = shares_of_classes(judgement, classes)
    matrix = {
        actual: {called: judgement.confusion[i, j] for j, called in enumerate(classes)}
        for i, actual in enumerate(classes)
    }
    return {
        **estimates(judgement, confidence),
        "per_class": shares,
        "macro": {kind: float(np.mean([share[kind] for share in shares.values()])) for kind in PER_CLASS},
        "confusion": matrix,
    }


def _short_gain(estimate: dict | None) -> dict:
    return {name: estimate and estimate[name] for name in ("value", "low", "high", "p")}
