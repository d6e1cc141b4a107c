"""The trainings of a repeated cross-validation, with every candidate source and λ in every fold."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from graft.common.seeds import derive
from graft.data.predictions import probability_columns, probability_table
from graft.networks.reference import ModelReference
from graft.repeated.cache import Arrays
from graft.repeated.divide import divide_into_folds
from graft.repeated.trainings import PulledSource, RepeatedTrainings, Rows

COLUMNS = ("repeat", "fold", "arm", "source", "strategy", "lambda", "part", "sample")


def candidate_sources(
    models: Mapping[str, ModelReference], lambdas: Sequence[float]
) -> list[PulledSource]:
    """Combine every source with every λ. A λ that occurs twice counts once."""
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
        rows: rows of the domain's index, whose patients are divided.
        count: the number of folds.
        repeats: how often the patients are divided.
        validation: the share of the patients outside a fold that validates.
        candidates: the sources and the λ to choose from.
        seed: of all random draws.
        cache: the folder of finished trainings.

    Returns:
        A row per training and case: COLUMNS and the probabilities. `part` is validation or test,
        and `source` is empty for a network from scratch.

    Raises:
        InputError: if a class has too few patients to test, validate and train in each fold.
    """
    places = []
    planned = []
    for repeat, fold, divided in _divide(trainings, rows, count, repeats, validation, seed):
        training_seed = derive(seed, trainings.stage, repeat)
        for source in (None, *candidates):
            name = f"repeat {repeat + 1}, fold {fold + 1}: {_name(source, candidates)}"
            arm = "transfer" if source else "scratch"
            training = trainings.plan_one(name, arm, divided, training_seed, source)
            planned.append(training)
            places.append((repeat, fold, source, divided))
    results = trainings.collect(planned, cache)
    tables = []
    for (repeat, fold, source, divided), result in zip(places, results, strict=True):
        for part in ("validation", "test"):
            table = _table(part, divided, result, trainings.domain.classes)
            table.insert(0, "lambda", source.weight if source else 0.0)
            table.insert(0, "strategy", "transfer" if source else "")
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
    """Divide the patients in every repeat: the repeat and the fold, from 0, and its rows."""
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
    if part == "validation":
        samples, probabilities = rows.validation, result["validation"]
    else:
        samples, probabilities = rows.predicted, result["predicted"]
    table = probability_table(probabilities, classes)
    table.insert(0, "sample", samples)
    table.insert(0, "part", part)
    return table


def _name(source: PulledSource | None, candidates: Sequence[PulledSource]) -> str:
    """The name of a training in messages."""
    if source is None:
        return "scratch"
    if len(candidates) > 1:
        return f"transfer from {source.name}, λ = {source.weight:g}"
    return "transfer"
