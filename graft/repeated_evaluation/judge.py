"""The blocks of metrics.json about the repeated trainings, from the tables of their predictions."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from graft.common.seeds import generator
from graft.data.domain import Domain
from graft.repeated_evaluation.cross_validation import judge_folds
from graft.repeated_evaluation.curve_points import Point
from graft.repeated_evaluation.folds import NamedCandidate, read_folds
from graft.repeated_evaluation.learning_curve import judge_points
from graft.statistics.cases import Cases


def judge_repeated(
    domain: Domain,
    test: Cases,
    points: Sequence[Point],
    pool: np.ndarray,
    folds_table: Path,
    default: NamedCandidate,
    resamples: int,
    confidence: float,
    seed: int,
) -> dict:
    """Judge the learning curve and the cross-validation.

    Args:
        domain: the target.
        test: its test part.
        points: of the learning curve.
        pool: the rows that the cross-validation divided.
        folds_table: the predictions of the cross-validation.
        default: how the model `transfer` was trained.
        resamples: the number of bootstrap resamples of the patients.
        confidence: of the intervals.
        seed: of the resamples.

    Returns:
        {"learning_curve": block, "cross_validation": block}; a block is None if it was not wanted.

    Raises:
        InputError: if the table cannot be read, or lacks a network or a case.
    """
    random = generator(seed, "bootstrap", domain.name, "draws")
    curve = judge_points(points, test, confidence, random, default.strategy)
    folds, candidates = read_folds(folds_table, domain.classes, pool)
    random = generator(seed, "bootstrap", domain.name, "cross-validation")
    return curve | judge_folds(domain, folds, candidates, resamples, confidence, random, default)
