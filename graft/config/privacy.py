"""What differential privacy of pretraining excludes among the other parameters."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from graft.common.shown import shown

if TYPE_CHECKING:
    from graft.config.parameters import Parameters


def check_privacy(parameters: "Parameters") -> None:
    """Raise ValueError if parameters would break the guarantee of `privacy.epsilon`."""
    epsilon = parameters.privacy.epsilon
    if epsilon is None:
        return
    for key, value, expected in _faults(parameters):
        raise ValueError(
            f"{key}: got {shown(value)} with privacy.epsilon {epsilon:g}, expected {expected}"
        )


def _faults(parameters: "Parameters") -> Iterator[tuple[str, object, str]]:
    """Yield each fault: its key, the value, and what is expected."""
    source, start = parameters.source, parameters.pretrain.source
    if parameters.self_supervise.epochs:
        epochs = parameters.self_supervise.epochs
        yield "self_supervise.epochs", epochs, "0, because it sees the images without privacy"
    if start != source:
        yield "pretrain.source", start, f"{source!r}, because only training needs privacy"
    for name in (source, *parameters.sources.candidates):
        domain, key = parameters.domains[name], f"domains.{name}"
        fitted = "{}, because models know their values in the training part"
        if domain.covariates:
            yield f"{key}.covariates", domain.covariates, fitted
        if domain.tasks:
            yield f"{key}.tasks", domain.tasks, fitted
        if domain.split.duplicates != "refuse":
            removes = "'refuse', because otherwise a patient decides whether others are trained on"
            yield f"{key}.split.duplicates", domain.split.duplicates, removes
