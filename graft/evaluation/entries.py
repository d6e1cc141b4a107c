"""The entries of metrics.json for one model or a pair of models."""

import numpy as np

from graft.evaluation.parts import by_test_part
from graft.statistics.cases import Assessment, estimates, gain, scores_by_class
from graft.statistics.scores import PER_CLASS

SIZE = "size_alone"  # the baseline that needs no more than a ruler
COVARIATES = "covariates_only"  # the baseline of a target that has covariates


def model_entry(model: Assessment, classes: list[str], confidence: float) -> dict:
    """Return the threshold, values on validation, and values with intervals on each of TESTS."""

    def entry(part: str) -> dict:
        return _part_entry(model, part, classes, confidence)

    return {
        "threshold": model.threshold,
        "validation": model.parts["validation"].point,
        **by_test_part(model.parts, entry),
    }


def auroc_entry(model: Assessment, confidence: float) -> dict:
    """Return AUROC with its interval on each of TESTS."""

    def entry(part: str) -> dict:
        return {"auroc": estimates(model.parts[part], confidence)["auroc"]}

    return by_test_part(model.parts, entry)


def gain_entry(model: Assessment, reference: Assessment, confidence: float) -> dict:
    """Return the paired difference in AUROC, model minus reference, on each of TESTS."""

    def entry(part: str) -> dict:
        return gain(model.parts[part], reference.parts[part], confidence)

    return by_test_part(reference.parts, entry)


def ablation_entry(
    both: Assessment,
    image: Assessment,
    covariates: Assessment,
    confidence: float,
) -> dict:
    """Return the AUROC with image and covariates and with each alone, and the gain of each."""
    return {
        "both": auroc_entry(both, confidence),
        "image_only": auroc_entry(image, confidence),
        COVARIATES: auroc_entry(covariates, confidence),
        "gain_of_image": gain_entry(both, covariates, confidence),
        "gain_of_covariates": gain_entry(both, image, confidence),
    }


def _part_entry(model: Assessment, part: str, classes: list[str], confidence: float) -> dict:
    confusion = model.confusions[part]
    by_class = scores_by_class(confusion, classes)
    macro = {}
    for name in PER_CLASS:
        macro[name] = float(np.mean([scores[name] for scores in by_class.values()]))
    cells = {}
    for actual, row in zip(classes, confusion, strict=True):
        cells[actual] = dict(zip(classes, row, strict=True))
    return {
        **estimates(model.parts[part], confidence),
        "per_class": by_class,
        "macro": macro,
        "confusion": cells,
    }
