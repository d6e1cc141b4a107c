"""The trainings of a repeated cross-validation, with every candidate source and λ in every fold."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from graft.common.seeds import derive
from graft.data.predictions import probability_columns, probability_table
from graft.networks.saved import Model
from graft.repeated.cache import Arrays, collect_results
from graft.repeated.divide import divide_into_folds
from graft.repeated.trainings import PulledSource, RepeatedTrainings, Rows

COLUMNS = ("repeat", "fold", "arm", "source", "lambda", "part", "sample")


def candidate_sources(models: Mapping[str, Model], lambdas: Sequence[float]) -> list[PulledSource]:
    """Every source with every λ."""
    found = []
    for name, model in models.items():
        for weight in dict.fromkeys(lambdas):
            found.append(PulledSource(name, model, weight))
    return found


def train_folds(
    trainings: RepeatedTrainings,
    rows: np.ndarray,
    count: int,
    repeats: int,
    validation: float,
    candidates: Sequence[PulledSource],
    seed: int,
    cache: Path,
) -> pd.DataFrame:
    """Train from scratch and from every candidate in every fold of every repeat.

    Each repeat has its own folds and its own training seed. Nothing is chosen here: the
    evaluation chooses within each fold, by the fold's own validation patients.

    Args:
        trainings: what all of them have in common.
        rows: of the domain, whose patients are divided.
        count: of folds.
        repeats: how often the patients are divided.
        validation: share of the patients outside a fold that validate.
        candidates: sources and λ.
        seed: of all random draws.
        cache: the folder of finished trainings.

    Returns:
        A row per training and case: COLUMNS and the probabilities. `part` is validation or test,
        and `source` is empty for a network from scratch.
    """
    places, planned = [], []
    for repeat, fold, divided in _divide(trainings, rows, count, repeats, validation, seed):
        for source in (None, *candidates):
            places.append((repeat, fold, source, divided))
            planned.append(
                trainings.plan_one(
                    f"repeat {repeat + 1}, fold {fold + 1}: {_name(source, candidates)}",
                    "transfer" if source else "scratch",
                    divided,
                    derive(seed, trainings.stage, repeat),
                    source,
                )
            )
    results = collect_results(trainings.stage, planned, cache)
    tables = []
    for (repeat, fold, source, divided), result in zip(places, results, strict=True):
        for part in ("validation", "test"):
            table = _table(part, divided, result, trainings.domain.classes)
            table.insert(0, "lambda", source.weight if source else 0.0)
            table.insert(0, "source", source.name if source else "")
            table.insert(0, "arm", "transfer" if source else "scratch")
            table.insert(0, "fold", fold + 1)
            table.insert(0, "repeat", repeat + 1)
            tables.append(table)
    return pd.concat(tables, ignore_index=True)


def empty_table(classes: Sequence[str]) -> pd.DataFrame:
    """The table of a cross-validation without folds."""
    return pd.DataFrame(columns=[*COLUMNS, *probability_columns(classes)])


def _divide(
    trainings: RepeatedTrainings,
    rows: np.ndarray,
    count: int,
    repeats: int,
    validation: float,
    seed: int,
) -> list[tuple[int, int, Rows]]:
    """The repeat, the fold and the rows of each fold."""
    domain = trainings.domain
    index = domain.index.iloc[rows]
    found = []
    for repeat in range(repeats):
        folds = divide_into_folds(index, domain.classes, count, validation, seed, repeat)
        for fold, (train, inner, test) in enumerate(folds):
            found.append((repeat, fold, Rows(rows[train], rows[inner], rows[test])))
    return found


def _table(part: str, rows: Rows, result: Arrays, classes: Sequence[str]) -> pd.DataFrame:
    """The part, the sample numbers and the probabilities of one training's cases."""
    samples = rows.validation if part == "validation" else rows.predicted
    probabilities = result["validation" if part == "validation" else "predicted"]
    table = probability_table(probabilities, classes)
    table.insert(0, "sample", samples)
    table.insert(0, "part", part)
    return table


def _name(source: PulledSource | None, candidates: Sequence[PulledSource]) -> str:
    if source is None:
        return "scratch"
    if len(candidates) > 1:
        return f"transfer from {source.name}, λ = {source.weight:g}"
    return "transfer"
