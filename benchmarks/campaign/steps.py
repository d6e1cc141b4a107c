"""The stages of the pipeline as functions, and what each one writes."""

import importlib
import sys
from collections.abc import Callable, Mapping

from graft.console import run

# What each stage writes, in the order of the pipeline.
OUTPUTS: Mapping[str, tuple[str, ...]] = {
    "parameters": ("data/parameters_checked.txt",),
    "preprocess lung": ("data/processed/lung",),
    "preprocess liver": ("data/processed/liver",),
    "split lung": ("data/splits/lung.csv",),
    "split liver": ("data/splits/liver.csv",),
    "check": (
        "data/images_without_labels.json",
        "data/leaks_checked.txt",
        "metrics/checks.json",
        "models/candidates/sources.json",
    ),
    "self_supervise": ("models/self_supervised", "metrics/curves/self_supervise"),
    "pretrain": ("models/pretrained", "metrics/curves/pretrain"),
    "rank_sources": ("metrics/sources.json",),
    "finetune transfer": ("models/finetuned/transfer", "metrics/curves/finetune-transfer"),
    "finetune scratch": ("models/finetuned/scratch", "metrics/curves/finetune-scratch"),
    "regularize": ("models/regularized", "metrics/curves/regularize"),
    "ensemble bagging": ("models/ensemble/bagging", "metrics/curves/ensemble-bagging"),
    "ensemble boosting": ("models/ensemble/boosting", "metrics/curves/ensemble-boosting"),
    "learning_curve": ("metrics/repeated/learning_curve.csv", "models/ensemble/deep"),
    "cross_validate": ("metrics/repeated/cross_validation.csv",),
    "attack": ("metrics/attacks.json",),
    "evaluate": (
        "metrics/metrics.json",
        "metrics/plots",
        "metrics/predictions.csv",
        "metrics/summary.json",
        "models/best",
    ),
    "explain": ("metrics/explain",),
    "report": ("metrics/report.html",),
}


def stage_step(line: str) -> Callable[[], None]:
    """The command of a stage, such as `split lung`, as a function."""
    name, *arguments = line.split()

    def step() -> None:
        module = importlib.import_module(f"stages.{name}")
        sys.argv = [name, *arguments]
        run(module.main)

    return step


def as_command(step: Callable[[], None]) -> None:
    """Run a function without arguments as a stage runs: an InputError is one line."""

    def command() -> None:
        step()

    sys.argv = ["step"]
    run(command)


def dvc_name(line: str) -> str:
    """The name of a stage in dvc.yaml: `split@liver` for `split liver`."""
    return line.replace(" ", "@")
