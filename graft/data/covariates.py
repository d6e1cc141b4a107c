"""Clinical covariates: manifest columns beside the image, as numbers for the head of a network.

A table of covariates has a row per lesion. Its cells are text: a number, a category as it was
given, or the hashed bag of words of a free text. An empty cell means that the value is unknown.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from graft.common.files import InputError

ITERATIONS = 1000  # of a regression, at most
WORD_BUCKETS = 64  # the words of a text are hashed into so many buckets


@dataclass(frozen=True)
class Encoding:
    """How the covariates of a lesion become K numbers, fitted on a training part.

    `columns` are plain JSON values, as a model's card has them. Each has `name`, `kind`, the `mean`
    and `std` of the training part if it is a number, and the `categories` seen there if it is a
    category.
    """

    columns: Sequence[Mapping] = ()

    @property
    def names(self) -> list[str]:
        """The names of the covariates."""
        return [column["name"] for column in self.columns]

    @property
    def width(self) -> int:
        """K, how many numbers a lesion has."""
        return sum(_width(column) for column in self.columns)

    @property
    def layout(self) -> list[tuple]:
        """The meaning of the K numbers: name, kind and categories of each covariate, in order."""
        found = []
        for column in self.columns:
            found.append((column["name"], column["kind"], *column.get("categories", ())))
        return found

    def encode(self, table: pd.DataFrame) -> np.ndarray:
        """Encode a table with N rows as numbers (N, K) float32. Other columns are ignored.

        A number is standardised: (x − mean) / std. A category is a 1 in its own column. A text is
        the counts of the words in each bucket, divided by √Σcount². Each covariate has one more
        column. It is 1, and the covariate's other columns are 0, if the value is missing or if the
        category did not occur in training.

        Raises:
            InputError: if a column is missing or a number cannot be read.
        """
        absent = [name for name in self.names if name not in table]
        if absent:
            raise InputError(
                f"covariates: no column {', '.join(absent)}, expected {', '.join(self.names)}, "
                "which the model trained with"
            )
        blocks = [np.zeros((len(table), 0))]
        for column in self.columns:
            blocks.append(_encode_column(table[column["name"]], column))
        return np.concatenate(blocks, axis=1).astype(np.float32)


def fit_encoding(table: pd.DataFrame, kinds: Mapping[str, str], domain: str) -> Encoding:
    """Fit the encoding to a training part.

    Args:
        table: the covariates of the training part.
        kinds: number, category or text for each column of `table`.
        domain: the name of the domain, for messages.

    Raises:
        InputError: if a column has no value.
    """
    columns = []
    for name, kind in kinds.items():
        known = table[name][_is_known(table[name])]
        if known.empty:
            raise InputError(
                f"domains.{domain}: the covariate {name!r} is empty in all {len(table)} lesions "
                "of the training part, expected at least one value"
            )
        column: dict[str, object] = {"name": name, "kind": kind}
        if kind == "number":
            column |= _mean_and_deviation(_numbers(known))
        elif kind == "category":
            column["categories"] = sorted(set(known.astype(str)))
        columns.append(column)
    return Encoding(columns)


def regress(
    encoded: np.ndarray, labels: np.ndarray, classes: int, balanced: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Fit a logistic regression on the covariates alone.

    It has scikit-learn's L2 penalty, ½|w|². A number that is always 0 therefore gets the weight 0.

    Args:
        encoded: (N, K) of a training part.
        labels: (N,) class codes.
        classes: C.
        balanced: whether all classes get the same total weight. Otherwise all cases do.

    Returns:
        Weights (C, K) and bias (C,) of the logits. All are 0 if a class has no case.
    """
    from sklearn.linear_model import LogisticRegression  # late: it takes a second

    if len(np.unique(labels)) < classes:
        return np.zeros((classes, encoded.shape[1])), np.zeros(classes)
    class_weight = "balanced" if balanced else None
    model = LogisticRegression(class_weight=class_weight, max_iter=ITERATIONS)
    model.fit(encoded, labels)
    return logits_of_classes(model.coef_, model.intercept_)


def logits_of_classes(weights: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights (C, K) and bias (C,) of a logit for each class, from those of scikit-learn.

    With two classes it has one logit z, (1, K) and (1,): −z/2 and z/2 have the same softmax.
    """
    if len(weights) > 1:
        return weights, bias
    halves = np.array([[-0.5], [0.5]])
    return halves * weights, halves[:, 0] * bias


def withheld(table: pd.DataFrame) -> pd.DataFrame:
    """A table with the same rows and columns in which all values are unknown."""
    return pd.DataFrame("", index=table.index, columns=table.columns)


def bag_of_words(texts: Sequence[str]) -> list[str]:
    """Convert each text to a hashed bag of words: `bucket:count` for each bucket with words.

    A word has two or more letters or digits, in lower case. MurmurHash3 assigns it to one of
    WORD_BUCKETS. The words cannot be recovered, but somebody who guesses a whole text can confirm
    the guess. A text without words becomes "".
    """
    from sklearn.feature_extraction.text import HashingVectorizer  # late: it takes a second

    hashing = HashingVectorizer(n_features=WORD_BUCKETS, norm=None, alternate_sign=False)
    counts = hashing.transform(texts)  # (N, WORD_BUCKETS), sparse
    counts.sort_indices()
    bags = []
    for start, end in zip(counts.indptr[:-1], counts.indptr[1:], strict=True):
        buckets = counts.indices[start:end]
        numbers = counts.data[start:end]
        pairs = []
        for bucket, number in zip(buckets, numbers, strict=True):
            pairs.append(f"{bucket}:{number:.0f}")
        bags.append(" ".join(pairs))
    return bags


def to_number(cell: str | float) -> float:
    """The number in a cell, or NaN if there is none."""
    try:
        return float(cell)
    except (TypeError, ValueError):
        return math.nan


def _width(column: Mapping) -> int:
    """How many columns a covariate has: those of its value, and one for unknown values."""
    values = {
        "number": 1,
        "category": len(column.get("categories", ())),
        "text": WORD_BUCKETS,
    }
    return values[column["kind"]] + 1


def _mean_and_deviation(numbers: np.ndarray) -> dict[str, float]:
    equal = numbers.min() == numbers.max()  # their computed deviation may be a rounding error
    return {"mean": float(numbers.mean()), "std": 1.0 if equal else float(numbers.std())}


def _encode_column(cells: pd.Series, column: Mapping) -> np.ndarray:
    """Encode one covariate as columns (N, _width). The last one marks unknown values."""
    encoded = np.zeros((len(cells), _width(column)))
    known = _is_known(cells)
    if column["kind"] == "number":
        numbers = _numbers(cells[known])
        encoded[known, 0] = (numbers - column["mean"]) / column["std"]
    elif column["kind"] == "category":
        categories = np.array(column["categories"], dtype=str)
        values = cells[known].astype(str).to_numpy()  # NaN as text could be a category's name
        encoded[known, :-1] = values[:, None] == categories
        known = np.asarray(encoded.any(axis=1))
    else:
        for row in np.flatnonzero(known):
            encoded[row, :-1] = _word_counts(cells.iloc[row], column["name"])
    encoded[~known, -1] = 1
    return encoded


def _word_counts(cell: str, name: str) -> np.ndarray:
    """Read a cell that `bag_of_words` wrote as counts (WORD_BUCKETS,), scaled to the norm 1.

    Raises:
        InputError: if the cell is not such a text.
    """
    counts = np.zeros(WORD_BUCKETS)
    try:
        for pair in cell.split():
            bucket, count = map(int, pair.split(":"))
            if bucket not in range(WORD_BUCKETS) or count < 1:
                raise ValueError(pair)
            counts[bucket] = count
    except (AttributeError, ValueError) as error:
        raise InputError(
            f"covariates: {name} is {cell!r}, expected what "
            "graft.data.covariates.bag_of_words makes of a text"
        ) from error
    return counts / np.linalg.norm(counts)


def _is_known(cells: pd.Series) -> np.ndarray:
    """Whether each cell has a value: (N,) of bool."""
    filled = cells.astype(str).str.strip() != ""
    return (cells.notna() & filled).to_numpy(bool)


def _numbers(cells: pd.Series) -> np.ndarray:
    """Read cells as finite numbers (N,).

    Raises:
        InputError: if a cell is not one.
    """
    numbers = np.array([to_number(cell) for cell in cells])
    finite = np.isfinite(numbers)
    if not finite.all():
        raise InputError(
            f"covariates: {cells.name} is {cells[~finite].iloc[0]!r}, "
            "expected a number, or an empty cell if it is unknown"
        )
    return numbers
