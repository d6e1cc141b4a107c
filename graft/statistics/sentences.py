"""Sentences about metrics.json that the printed summary and the report have in common."""

from collections.abc import Callable, Mapping
from typing import Any

from graft.common.shown import counted
from graft.common.vocabulary import SELF_SUPERVISION, WITHOUT_LAMBDA
from graft.statistics.formatting import signed_estimate

VALIDATION = {"part": "the validation part", "folds": "the training part out of fold"}


def labels_used(metrics: Mapping[str, Any]) -> str:
    """How many labelled patients training, stopping and choosing used, in one line."""
    target = metrics["target"]
    trained = _size(target["counts"]["train"])
    validated = metrics["validated"]
    if validated["by"] == "part":
        return (
            f"Labels of {target['name']}: {trained} to train on; {_size(validated)} more to decide "
            "when training stops, to set thresholds and to choose the model."
        )
    saw_images = any(row["name"] == SELF_SUPERVISION for row in metrics["checks"])
    without = "their labels" if saw_images else "them"
    return (
        f"Labels of {target['name']}: {trained} to train on, and none more: training stops after a "
        "fixed number of epochs. Thresholds and the choice of the model come from predictions of "
        f"the same {_noun(validated)} by networks that were trained without {without}, in "
        f"{validated['folds']} folds."
    )


def below_size_alone(
    metrics: Mapping[str, Any], write: Callable[[Mapping[str, Any]], str] = signed_estimate
) -> str:
    """That the chosen model is worse than lesion size on the test part; empty if it is not.

    Args:
        metrics: metrics.json.
        write: how a difference with its interval is written.
    """
    chosen = metrics["chosen"]["model"]
    model = metrics["models"][chosen]["test"]["auroc"]["value"]
    size = metrics["baselines"]["size_alone"]["test"]["auroc"]["value"]
    if model is None or size is None or model >= size:
        return ""
    gap = write(metrics["target"]["gain_over_size"]["test"])
    return (
        f"The chosen model, {chosen}, scores below size alone on the test part: its AUROC is "
        f"{model:.3f}, and that of the size of the lesion {size:.3f} (difference {gap})."
    )


def candidate_name(row: Mapping) -> str:
    """Return a candidate of metrics.json in words, such as "l2-sp from lung with λ = 0.01"."""
    weight = "" if row["strategy"] in WITHOUT_LAMBDA else f" with λ = {row['lambda']:g}"
    return f"{row['strategy']} from {row['source']}{weight}"


def _size(count: Mapping[str, int | None]) -> str:
    """Return `3 patients (5 lesions)`, or the lesions alone if the patients are unknown."""
    lesions = counted(count["lesions"] or 0, "lesion")
    if count["patients"] is None:
        return lesions
    return f"{counted(count['patients'], 'patient')} ({lesions})"


def _noun(count: Mapping[str, int | None]) -> str:
    return "lesions" if count["patients"] is None else "patients"
