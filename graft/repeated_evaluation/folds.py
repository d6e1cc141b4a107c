"""The folds of a cross-validation, read from the predictions of their networks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from graft.common.files import InputError
from graft.data.predictions import probability_columns, read_predictions

READ = ("repeat", "fold", "arm", "source", "lambda", "part", "sample")


@dataclass(frozen=True)
class Candidate:
    """A source and the weight λ of the pull towards it."""

    source: str
    weight: float

    def named(self) -> dict:
        """The candidate as an entry of metrics.json."""
        return {"source": self.source, "lambda": self.weight}


@dataclass(frozen=True)
class Predicted:
    """What one network of a fold predicted.

    Attributes:
        samples: by part, (N,) sample numbers.
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


def read_folds(path: Path, classes: Sequence[str]) -> tuple[list[Fold], list[Candidate]]:
    """Read what the networks of all folds predicted; nothing if no cross-validation ran.

    Args:
        path: the table that the training stage wrote.
        classes: of the target.

    Returns:
        The folds of all repeats, and the candidates. The candidates of a fold have their order.

    Raises:
        InputError: if the file cannot be read, or if a fold lacks one of the networks.
    """
    table = read_predictions(path, READ, classes, text=("arm", "source", "part"))
    transfer = table[table["arm"] == "transfer"]
    pairs_of = transfer[["source", "lambda"]].drop_duplicates().itertuples(index=False)
    candidates = [Candidate(str(source), float(weight)) for source, weight in pairs_of]
    folds = []
    for (repeat, number), rows in table.groupby(["repeat", "fold"], sort=True):
        scratch = _predicted(rows[rows["arm"] == "scratch"], classes)
        others = []
        for candidate in candidates:
            mine = (rows["source"] == candidate.source) & (rows["lambda"] == candidate.weight)
            others.append(_predicted(rows[mine & (rows["arm"] == "transfer")], classes))
        if not all(_is_complete(predicted) for predicted in (scratch, *others)):
            raise InputError(
                f"{path}: repeat {repeat}, fold {number} lacks a network or a part, expected "
                f"scratch and {len(candidates)} candidates with validation and test"
            )
        folds.append(Fold(int(repeat), int(number), scratch, others))
    return folds, candidates


def _is_complete(predicted: Predicted) -> bool:
    """Whether a network predicted at least one sample of each part."""
    return all(len(samples) for samples in predicted.samples.values())


def _predicted(rows: pd.DataFrame, classes: Sequence[str]) -> Predicted:
    """Collect the rows of one network by part."""
    samples, probabilities = {}, {}
    for part in ("validation", "test"):
        mine = rows[rows["part"] == part]
        samples[part] = mine["sample"].to_numpy(np.int64)
        probabilities[part] = mine[probability_columns(classes)].to_numpy(float)
    return Predicted(samples, probabilities)
