"""The audit of what only the validation part may decide: thresholds, calibrators, the best model.

Each check raises InputError if it finds a fault. Otherwise it returns a row, as the checks of
`graft.leakage` do.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from sklearn.metrics import log_loss

from graft.common.files import InputError, sha256
from graft.common.shown import counted
from graft.data.domain import Domain
from graft.leakage.rows import CheckRow, passed_check
from graft.statistics.cases import Assessment, class_codes
from graft.statistics.scores import choose_threshold

LOSS_TOLERANCE = 1e-6  # metrics.json has six decimals, and models are compared by these


def check_thresholds(
    domain: Domain,
    rows: Mapping[str, np.ndarray],
    assessments: Mapping[str, Assessment],
) -> CheckRow:
    """Check that the validation part alone gives each threshold, by choosing it again.

    Args:
        domain: that the models were assessed on.
        rows: part -> rows of the domain.
        assessments: by model.

    Raises:
        InputError: if a threshold differs or was chosen on other samples.
    """
    labels = _validation_labels(domain, rows)
    for name, assessment in assessments.items():
        _check_fitted_on(f"the threshold of {name}", assessment.fitted_on, rows, domain.name)
        expected = choose_threshold(labels, assessment.probabilities["validation"])
        if assessment.threshold != expected:
            raise InputError(
                f"domains.{domain.name}: the threshold of {name} is {assessment.threshold}, "
                f"expected {expected}, which the validation part alone gives"
            )
    found = "each equal to the one that the validation part alone gives"
    return passed_check("thresholds", domain.name, ", ".join(assessments), found)


def check_tuning(
    domain: Domain,
    rows: Mapping[str, np.ndarray],
    tuned: Mapping[str, Mapping[str, Sequence[int]]],
) -> CheckRow:
    """Check that calibrators and operating points were fitted on the validation part.

    Args:
        domain: that the models were assessed on.
        rows: part -> rows of the domain.
        tuned: by model and by name of the calibrator or the operating point, the samples that it
            was fitted on.

    Raises:
        InputError: if the samples are others.
    """
    names: dict[str, None] = {}
    for model, samples in tuned.items():
        for name, fitted_on in samples.items():
            _check_fitted_on(f"{name} of {model}", fitted_on, rows, domain.name)
            names[name] = None
    looked_at = f"{', '.join(names)} of {', '.join(tuned)}"
    found = "each fitted on the whole validation part and no other samples"
    return passed_check("tuning", domain.name, looked_at, found)


def check_choice(
    domain: Domain,
    rows: Mapping[str, np.ndarray],
    models: Mapping[str, Assessment],
    chosen: str,
) -> CheckRow:
    """Check that the chosen model has the lowest log loss on the validation part.

    Args:
        domain: that the models were assessed on.
        rows: part -> rows of the domain.
        models: their assessments by name.
        chosen: the name of the chosen model.

    Raises:
        InputError: if another model has a lower log loss.
    """
    labels = _validation_labels(domain, rows)
    losses = {}
    for name, assessment in models.items():
        losses[name] = _log_loss(labels, assessment.probabilities["validation"])
    best = min(losses, key=lambda name: losses[name])
    if losses[chosen] > losses[best] + LOSS_TOLERANCE:
        raise InputError(
            f"domains.{domain.name}: the chosen model is {chosen} with a log loss of "
            f"{losses[chosen]:.6f} on the validation part, "
            f"expected {best} with {losses[best]:.6f}, the lowest"
        )
    looked_at = f"log loss of {counted(len(losses), 'model')} on the validation part"
    return passed_check(
        "choice", domain.name, looked_at, f"{chosen}, {losses[chosen]:.4f}, the lowest"
    )


def hash_inputs(folder: Path, split_file: Path) -> dict[str, str]:
    """Compute SHA-256 of the files that decide scores on a domain: its images, index and split."""
    return {
        "images": sha256(folder / "images.npy"),
        "index": sha256(folder / "index.csv"),
        "split": sha256(split_file),
    }


def _check_fitted_on(
    name: str,
    fitted_on: Sequence[int],
    rows: Mapping[str, np.ndarray],
    domain: str,
) -> None:
    """Raise InputError if something was not fitted on exactly the validation part."""
    wanted = set(rows["validation"].tolist())
    found = set(np.asarray(fitted_on).tolist())
    if wanted == found:
        return
    unknown = set(found)
    counts = []
    for part, samples in rows.items():
        shared = found & set(samples.tolist())
        unknown -= shared
        if shared:
            counts.append(f"{len(shared)} of {part}")
    if unknown:
        counts.append(f"{len(unknown)} of no part")
    raise InputError(
        f"domains.{domain}: {name} was fitted on {counted(len(found), 'sample')} "
        f"({', '.join(counts) or 'none'}), "
        f"expected the {len(wanted)} of the part validation and no other"
    )


def _validation_labels(domain: Domain, rows: Mapping[str, np.ndarray]) -> np.ndarray:
    return class_codes(domain.index.iloc[rows["validation"]], domain.classes)


def _log_loss(labels: np.ndarray, probabilities: np.ndarray) -> float:
    total = probabilities.sum(1, keepdims=True)  # differs from 1 by the rounding of each class
    return float(log_loss(labels, probabilities / total, labels=range(probabilities.shape[1])))
