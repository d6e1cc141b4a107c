"""Shadow models: the networks of a cross-validation, which predict patients they never saw."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from graft.common.vocabulary import REFERENCE
from graft.data.domain import Domain
from graft.data.repeats import pool_for_cross_validation
from graft.repeated_evaluation.folds import Fold, NamedCandidate, Predicted, read_folds

TRANSFER = "transfer"

Shadows = Mapping[str, np.ndarray]  # "scratch" and "transfer" -> (K, lesions of the domain, C)


def read_shadows(
    path: Path, domain: Domain, parts: Mapping[str, np.ndarray], strategy: str, weight: float
) -> Shadows:
    """Read what each repeat of a cross-validation predicts of all lesions, out of fold.

    A network of a fold was trained as a model is that trained on the patient, but without that
    patient. Members and non-members of the attacked model have equally many such networks.

    Args:
        path: the table of the cross-validation; it has no rows if none ran.
        domain: the target.
        parts: rows of its index by part.
        strategy: of the attacked model.
        weight: λ of the attacked model.

    Returns:
        The predictions by K repeats, NaN for lesions outside of the cross-validation. Empty
        without a cross-validation; without "transfer" if it lacks the strategy or λ.
    """
    pool, _ = pool_for_cross_validation(parts, domain.index)
    folds, candidates = read_folds(path, domain.classes, pool)
    if not folds:
        return {}
    shape = len(domain.index), len(domain.classes)
    shadows = {REFERENCE: _by_repeat(folds, [fold.scratch for fold in folds], shape)}
    for number, found in enumerate(candidates):  # those of the main source come first
        if found.is_like(NamedCandidate(found.source, strategy, weight)):
            predicted = [fold.candidates[number] for fold in folds]
            shadows[TRANSFER] = _by_repeat(folds, predicted, shape)
            break
    return shadows


def _by_repeat(
    folds: Sequence[Fold], predicted: Sequence[Predicted], shape: tuple[int, int]
) -> np.ndarray:
    """The predictions (K, *shape) of the test cases of all folds, by repeat."""
    repeats = max(fold.repeat for fold in folds)
    found = np.full((repeats, *shape), np.nan)
    for fold, of_fold in zip(folds, predicted, strict=True):
        found[fold.repeat - 1, of_fold.samples["test"]] = of_fold.probabilities["test"]
    return found
