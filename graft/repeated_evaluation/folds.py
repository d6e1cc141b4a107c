"""The folds of a cross-validation, read from the predictions of their networks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from graft.common.files import InputError
from graft.common.vocabulary import WITHOUT_LAMBDA
from graft.data.predictions import probability_columns, read_predictions
from graft.data.sealed_tables import open_sealed_table

ARMS = ("scratch", "transfer")
PARTS = ("validation", "test")  # that each network predicted
READ = ("repeat", "fold", "arm", "source", "strategy", "lambda", "part", "sample")


@dataclass(frozen=True)
class NamedCandidate:
    """A source, the strategy of training from it, and λ, as tables and metrics.json name them."""

    source: str
    strategy: str
    weight: float

    def is_like(self, other: "NamedCandidate") -> bool:
        """Whether it is the same one, whatever λ is if it has no meaning for the strategy."""
        same = (self.source, self.strategy) == (other.source, other.strategy)
        return same and (self.strategy in WITHOUT_LAMBDA or self.weight == other.weight)

    def named(self) -> dict:
        """The candidate as an entry of metrics.json."""
        return {"source": self.source, "strategy": self.strategy, "lambda": self.weight}


@dataclass(frozen=True)
class Predicted:
    """What one network of a fold predicted.

    Attributes:
        samples: by part, (N,) sample numbers. Those of "validation" may choose a candidate: the
            fold's own validation patients, or all outside of the fold as predicted out of inner
            folds.
        probabilities: by part, (N, C).
    """

    samples: Mapping[str, np.ndarray]
    probabilities: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Fold:
    """One fold of one repeat, both numbered from 1, and the predictions of its networks.

    Attributes:
        repeat: the number of the repeat.
        number: of the fold in its repeat.
        scratch: by the network from scratch.
        candidates: by the network of each candidate.
    """

    repeat: int
    number: int
    scratch: Predicted
    candidates: Sequence[Predicted]


def read_folds(
    path: Path, classes: Sequence[str], samples: np.ndarray
) -> tuple[list[Fold], list[NamedCandidate]]:
    """Read what the networks of all folds predicted; nothing if no cross-validation ran.

    Args:
        path: the table that the training stage wrote.
        classes: of the target.
        samples: the sample numbers of the lesions that the folds divide, in rising order.

    Returns:
        The folds of all repeats, and the candidates. The candidates of a fold have their order.

    Raises:
        InputError: if the file cannot be read or was changed, if a fold lacks one of the networks
            or one of their cases, or if the folds of a repeat do not test each case once.
    """
    content = open_sealed_table(path)
    table = read_predictions(path, READ, classes, ("arm", "source", "strategy", "part"), content)
    candidates = _candidates(table)
    is_known = table["arm"].isin(ARMS) & table["part"].isin(PARTS)
    if not is_known.all() or (len(table) and not candidates):
        raise InputError(
            f"{path}: has other arms or parts, expected rows of {' and '.join(ARMS)} on "
            f"{' and '.join(PARTS)}"
        )
    folds = []
    for (repeat, number), rows in table.groupby(["repeat", "fold"], sort=True):
        scratch = _predicted(rows[rows["arm"] == "scratch"], classes)
        others = []
        for candidate in candidates:
            mine = rows["arm"] == "transfer"
            for column, value in candidate.named().items():
                mine &= rows[column] == value
            others.append(_predicted(rows[mine], classes))
        fold = Fold(int(repeat), int(number), scratch, others)
        _check_networks(path, fold)
        folds.append(fold)
    _check_divisions(path, folds, samples)
    return folds, candidates


def _candidates(table: pd.DataFrame) -> list[NamedCandidate]:
    transfer = table[table["arm"] == "transfer"]
    distinct = transfer[["source", "strategy", "lambda"]].drop_duplicates()
    candidates = []
    for source, strategy, weight in distinct.itertuples(index=False):
        candidates.append(NamedCandidate(str(source), str(strategy), float(weight)))
    return candidates


def _check_networks(path: Path, fold: Fold) -> None:
    """Raise InputError unless every network of a fold predicted the same cases, each once."""
    where = f"{path}: repeat {fold.repeat}, fold {fold.number}"
    networks = (fold.scratch, *fold.candidates)
    needed = PARTS if len(fold.candidates) > 1 else ("test",)  # one candidate needs no choice
    complete = [_is_complete(predicted, needed) for predicted in fold.candidates]
    if not all(complete) or not _is_complete(fold.scratch, ("test",)):
        raise InputError(
            f"{where} lacks a network or a part, or has a case twice, expected scratch and "
            f"{len(fold.candidates)} candidates with validation and test"
        )
    same_tests = all(_has_same_cases(fold.scratch, other, "test") for other in networks)
    first = fold.candidates[0]
    same_choices = all(_has_same_cases(first, other, "validation") for other in fold.candidates)
    if not same_tests or not same_choices:
        raise InputError(
            f"{where} has networks that predicted different samples, expected the same ones"
        )


def _check_divisions(path: Path, folds: Sequence[Fold], samples: np.ndarray) -> None:
    """Raise InputError unless every repeat has the same folds, which test each case once."""
    numbers = sorted({fold.number for fold in folds})
    for repeat in sorted({fold.repeat for fold in folds}):
        mine = [fold for fold in folds if fold.repeat == repeat]
        if [fold.number for fold in mine] != numbers:
            raise InputError(f"{path}: repeat {repeat} lacks a fold, expected the folds {numbers}")
        tested = np.concatenate([fold.scratch.samples["test"] for fold in mine])
        validated = np.concatenate([fold.candidates[0].samples["validation"] for fold in mine])
        if not np.array_equal(np.sort(tested), samples) or not np.isin(validated, samples).all():
            raise InputError(
                f"{path}: the folds of repeat {repeat} test {len(set(tested))} lesions, some of "
                f"them twice or not in the target's pool, expected each of its {len(samples)} once"
            )


def _is_complete(predicted: Predicted, parts: Sequence[str]) -> bool:
    """Whether a network predicted at least one sample of some parts, and no sample twice."""
    together = np.concatenate(list(predicted.samples.values()))
    has_parts = all(len(predicted.samples[part]) for part in parts)
    return has_parts and len(set(together)) == len(together)


def _has_same_cases(one: Predicted, other: Predicted, part: str) -> bool:
    return np.array_equal(one.samples[part], other.samples[part])


def _predicted(rows: pd.DataFrame, classes: Sequence[str]) -> Predicted:
    """Collect the rows of one network by part."""
    samples, probabilities = {}, {}
    for part in PARTS:
        mine = rows[rows["part"] == part]
        samples[part] = mine["sample"].to_numpy(np.int64)
        probabilities[part] = mine[probability_columns(classes)].to_numpy(float)
    return Predicted(samples, probabilities)
