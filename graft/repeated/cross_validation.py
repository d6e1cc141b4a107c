"""The trainings of a repeated cross-validation: every source, strategy and λ in every fold."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from graft.common.seeds import derive
from graft.common.vocabulary import WITHOUT_LAMBDA
from graft.data.predictions import probability_columns, probability_table
from graft.data.task import NO_ROWS
from graft.networks.reference import ModelReference
from graft.repeated.divide import divide_into_folds, divide_into_inner_folds
from graft.repeated.trainings import PulledSource, RepeatedTrainings, Rows
from graft.transfer.settings import Strategy

COLUMNS = ("repeat", "fold", "arm", "source", "strategy", "lambda", "part", "sample")


@dataclass(frozen=True)
class Candidate:
    """A source with λ, and the strategy of training from it."""

    source: PulledSource
    strategy: Strategy

    def __str__(self) -> str:
        weight = "" if self.strategy in WITHOUT_LAMBDA else f", λ = {self.source.weight:g}"
        return f"{self.strategy} from {self.source.name}{weight}"


@dataclass(frozen=True)
class _Place:
    """What a training is for: it predicts a part of a fold by a candidate, or from scratch."""

    repeat: int
    fold: int
    candidate: Candidate | None
    rows: Rows
    part: str  # that `rows.predicted` are


def all_candidates(
    models: Mapping[str, ModelReference], strategies: Sequence[Strategy], lambdas: Sequence[float]
) -> list[Candidate]:
    """Combine every source with every strategy and λ, each once.

    A strategy without λ occurs once for each source, with λ = 0.
    """
    found = []
    for name, model in models.items():
        for strategy in dict.fromkeys(strategies):
            weights = [0.0] if strategy in WITHOUT_LAMBDA else dict.fromkeys(lambdas)
            for weight in weights:
                found.append(Candidate(PulledSource(name, model, weight), strategy))
    return found


def train_folds(
    trainings: RepeatedTrainings,
    rows: np.ndarray,
    count: int,
    repeats: int,
    validation: float,
    candidates: Sequence[Candidate],
    seed: int,
    cache: Path,
) -> pd.DataFrame:
    """Train from scratch and by every candidate in every fold of every repeat.

    Each repeat has its own folds and its own training seed. Nothing is chosen here: the
    evaluation chooses within each fold, by predictions for the fold's own validation patients. If
    there are none, and several candidates, each candidate also trains outside of inner folds of
    the patients outside the fold, and predicts these.

    Args:
        trainings: what all of them have in common.
        rows: rows of the domain's index, whose patients are divided.
        count: the number of folds.
        repeats: how often the patients are divided.
        validation: the share of the patients outside a fold that validates, or 0.
        candidates: to choose from.
        seed: of all random draws.
        cache: the folder of finished trainings.

    Returns:
        A row per training and case: COLUMNS and the probabilities. `part` is validation or test.
        A network from scratch has no source and no strategy. Without validation patients, the
        validation cases of a candidate are all cases outside the fold, and scratch has none.

    Raises:
        InputError: if a class has too few patients to test, validate and train in each fold.
    """
    places = list(_plan_places(trainings, rows, count, repeats, validation, candidates, seed))
    planned = []
    for place in places:
        inner = ", inner fold" if place.part == "validation" else ""
        candidate = place.candidate
        planned.append(
            trainings.plan_one(
                f"repeat {place.repeat}, fold {place.fold}{inner}: {candidate or 'scratch'}",
                candidate.strategy if candidate else "scratch",
                place.rows,
                derive(seed, trainings.stage, place.repeat - 1),
                candidate.source if candidate else None,
            )
        )
    results = trainings.collect(planned, cache)
    classes = trainings.domain.classes
    tables = []
    for place, result in zip(places, results, strict=True):
        if len(place.rows.validation):
            validated = result["validation"]
            tables.append(_table(place, "validation", place.rows.validation, validated, classes))
        predicted = result["predicted"]
        tables.append(_table(place, place.part, place.rows.predicted, predicted, classes))
    return pd.concat(tables, ignore_index=True)


def empty_table(classes: Sequence[str]) -> pd.DataFrame:
    """The table of a cross-validation without folds."""
    return pd.DataFrame(columns=[*COLUMNS, *probability_columns(classes)])


def _plan_places(
    trainings: RepeatedTrainings,
    rows: np.ndarray,
    count: int,
    repeats: int,
    validation: float,
    candidates: Sequence[Candidate],
    seed: int,
) -> Iterator[_Place]:
    """Yield the trainings of each fold: scratch, and each candidate with its inner folds."""
    domain = trainings.domain
    index = domain.index.iloc[rows]
    for repeat in range(repeats):
        folds = divide_into_folds(index, domain.classes, count, validation, seed, repeat)
        for fold, (train, validating, test) in enumerate(folds):
            outer = Rows(rows[train], rows[validating], rows[test])
            yield _Place(repeat + 1, fold + 1, None, outer, "test")
            inner = []
            if not validation and len(candidates) > 1:
                outside = index.iloc[train]
                inner = divide_into_inner_folds(outside, domain.classes, seed, count, repeat, fold)
            for candidate in candidates:
                yield _Place(repeat + 1, fold + 1, candidate, outer, "test")
                for others, inside in inner:
                    within = Rows(outer.train[others], NO_ROWS, outer.train[inside])
                    yield _Place(repeat + 1, fold + 1, candidate, within, "validation")


def _table(
    place: _Place, part: str, samples: np.ndarray, probabilities: np.ndarray, classes: Sequence[str]
) -> pd.DataFrame:
    """The rows of COLUMNS and the probabilities that one training gave some samples."""
    candidate = place.candidate
    values = (
        place.repeat,
        place.fold,
        "transfer" if candidate else "scratch",
        candidate.source.name if candidate else "",
        candidate.strategy if candidate else "",
        candidate.source.weight if candidate else 0.0,
        part,
        samples,
    )
    table = probability_table(probabilities, classes)
    for position, (column, value) in enumerate(zip(COLUMNS, values, strict=True)):
        table.insert(position, column, value)
    return table
