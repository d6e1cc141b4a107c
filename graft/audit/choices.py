"""The audit of what only validation cases may decide: thresholds, calibrators, the best model.

Validation cases are those of the validation part or, without one, the training rows as predicted
out of fold. Each check raises InputError if it finds a fault. Otherwise it returns a row, as the
checks of `graft.leakage` do.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from sklearn.metrics import log_loss

from graft.common.files import InputError, sha256
from graft.common.shown import counted
from graft.evaluation.evaluated_domain import EvaluatedDomain
from graft.evaluation.scored import ScoredModels
from graft.leakage.rows import CheckRow, passed_check
from graft.statistics.cases import Assessment, class_codes
from graft.statistics.scores import choose_threshold
from graft.statistics.sentences import VALIDATION

LOSS_TOLERANCE = 1e-6  # metrics.json has six decimals, and models are compared by these


def check_decisions(target: EvaluatedDomain, scored: ScoredModels) -> list[CheckRow]:
    """Check everything that was decided for the models of a target: a row for each check.

    Raises:
        InputError: if anything but the validation cases decided it.
    """
    fitted_on = {name: tuned.fitted_on for name, tuned in scored.tuned.items()}
    return [
        check_thresholds(target, scored.all),
        check_tuning(target, fitted_on),
        check_choice(target, scored.models, scored.chosen),
    ]


def check_thresholds(target: EvaluatedDomain, assessments: Mapping[str, Assessment]) -> CheckRow:
    """Check that the validation cases alone give each threshold, by choosing it again.

    Args:
        target: that the models were assessed on.
        assessments: by model.

    Raises:
        InputError: if a threshold differs or was chosen on other samples.
    """
    domain = target.domain.name
    cases = VALIDATION[target.validated_by]
    for name, assessment in assessments.items():
        _check_fitted_on(f"the threshold of {name}", assessment.fitted_on, target)
        expected = choose_threshold(_labels(target), assessment.probabilities["validation"])
        if assessment.threshold != expected:
            raise InputError(
                f"domains.{domain}: the threshold of {name} is {assessment.threshold}, "
                f"expected {expected}, which {cases} alone gives"
            )
    found = f"each equal to the one that {cases} alone gives"
    return passed_check("thresholds", domain, ", ".join(assessments), found)


def check_tuning(
    target: EvaluatedDomain,
    tuned: Mapping[str, Mapping[str, Sequence[int]]],
) -> CheckRow:
    """Check that calibrators and operating points were fitted on the validation cases.

    Args:
        target: that the models were assessed on.
        tuned: by model and by name of the calibrator or the operating point, the samples that it
            was fitted on.

    Raises:
        InputError: if the samples are others.
    """
    names: dict[str, None] = {}
    for model, samples in tuned.items():
        for name, fitted_on in samples.items():
            _check_fitted_on(f"{name} of {model}", fitted_on, target)
            names[name] = None
    looked_at = f"{', '.join(names)} of {', '.join(tuned)}"
    found = f"each fitted on {VALIDATION[target.validated_by]} and no other samples"
    return passed_check("tuning", target.domain.name, looked_at, found)


def check_choice(
    target: EvaluatedDomain,
    models: Mapping[str, Assessment],
    chosen: str,
) -> CheckRow:
    """Check that the chosen model has the lowest log loss of the validation cases.

    Args:
        target: that the models were assessed on.
        models: their assessments by name.
        chosen: the name of the chosen model.

    Raises:
        InputError: if another model has a lower log loss.
    """
    domain = target.domain.name
    cases = VALIDATION[target.validated_by]
    losses = {}
    for name, assessment in models.items():
        losses[name] = _log_loss(_labels(target), assessment.probabilities["validation"])
    best = min(losses, key=lambda name: losses[name])
    if losses[chosen] > losses[best] + LOSS_TOLERANCE:
        raise InputError(
            f"domains.{domain}: the chosen model is {chosen} with a log loss of "
            f"{losses[chosen]:.6f} on {cases}, "
            f"expected {best} with {losses[best]:.6f}, the lowest"
        )
    looked_at = f"log loss of {counted(len(losses), 'model')} on {cases}"
    return passed_check("choice", domain, looked_at, f"{chosen}, {losses[chosen]:.4f}, the lowest")


def hash_inputs(folder: Path, split_file: Path) -> dict[str, str]:
    """Compute SHA-256 of the files that decide scores on a domain: its images, index and split."""
    return {
        "images": sha256(folder / "images.npy"),
        "index": sha256(folder / "index.csv"),
        "split": sha256(split_file),
    }


def _check_fitted_on(name: str, fitted_on: Sequence[int], target: EvaluatedDomain) -> None:
    """Raise InputError if something was not fitted on exactly the validation cases."""
    wanted = set(target.validating.tolist())
    found = set(np.asarray(fitted_on).tolist())
    if wanted == found:
        return
    unknown = set(found)
    counts = []
    for part, samples in target.rows.items():
        shared = found & set(samples.tolist())
        unknown -= shared
        if shared:
            counts.append(f"{len(shared)} of {part}")
    if unknown:
        counts.append(f"{len(unknown)} of no part")
    raise InputError(
        f"domains.{target.domain.name}: {name} was fitted on {counted(len(found), 'sample')} "
        f"({', '.join(counts) or 'none'}), "
        f"expected the {len(wanted)} of {VALIDATION[target.validated_by]} and no other"
    )


def _labels(target: EvaluatedDomain) -> np.ndarray:
    return class_codes(target.domain.index.iloc[target.validating], target.domain.classes)


def _log_loss(labels: np.ndarray, probabilities: np.ndarray) -> float:
    total = probabilities.sum(1, keepdims=True)  # differs from 1 by the rounding of each class
    return float(log_loss(labels, probabilities / total, labels=range(probabilities.shape[1])))
