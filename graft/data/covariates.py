"""Clinical covariates: the columns of a manifest beside the image, as numbers for the head of a network.

A table of covariates has a row a lesion and holds text: a number, a category as it was given, or of free text its
hashed bag of words. An empty cell is a value that is not known.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from graft.common.files import InputError

ITERATIONS = 1000  # of a regression at most
WORD_BUCKETS = 64  # that the words of a text are hashed into


@dataclass(frozen=True)
class Encoding:
    """How the covariates of a lesion become K numbers, as a training part taught it.

    `columns` are plain JSON values, as a model's card keeps them: each has `name`, `kind` and, for a number, the
    `mean` and `std` of the training part, for a category the `categories` seen there.
    """

    columns: Sequence[Mapping] = ()

    @property
    def names(self) -> list[str]:
        return [column["name"] for column in self.columns]

    @property
    def width(self) -> int:
        """K, how many numbers `encode` gives a lesion."""
        return sum(_width(column) for column in self.columns)

    @property
    def layout(self) -> list[tuple]:
        """What the K numbers stand for, whatever the means and spreads of a training part."""
        return [
            (column["name"], column["kind"], *column.get("categories", ()))
            for column in self.columns
        ]

    def encode(self, table: pd.DataFrame) -> np.ndarray:
        """(N, K) float32 of a table with N rows, in which columns that the encoding does not know are ignored.

        A number is standardised, (x − mean) / std. A category is a 1 in its own column. Of a text, the counts of the
        words in each bucket are divided by √Σcount². After each of these comes a column that is 1 where the
        value is missing, or a category was never seen in training; all the columns before it are 0 then.

        Raises InputError where a column is missing, or a number is none.
        """
        if absent := [name for name in self.names if name not in table]:
            raise InputError(
                f"covariates: no column {', '.join(absent)}, expected {', '.join(self.names)}, as the model learnt"
            )
        blocks = [
            np.zeros((len(table), 0)),
            *(_encode(table[column["name"]], column) for column in self.columns),
        ]
        return np.concatenate(blocks, axis=1).astype(np.float32)


def fit_encoding(table: pd.DataFrame, kinds: Mapping[str, str], domain: str) -> Encoding:
    """Learn the encoding from a training part; `kinds` has number, category or text for each column of `table`.

    Raises InputError, which names the domain, for a column that has no value there.
    """
    columns = []
    for name, kind in kinds.items():
        known = table[name][_known(table[name])]
        if known.empty:
            raise InputError(
                f"domains.{domain}: the covariate {name!r} is empty in all {len(table)} lesions of the training part, "
                "expected a value in one of them at least"
            )
        column = {"name": name, "kind": kind}
        if kind == "number":
            numbers = _numbers(known)
            spread = (
                float(numbers.std()) if numbers.min() < numbers.max() else 1.0
            )  # of equal numbers: rounding, not 0
            column |= {"mean": float(numbers.mean()), "std": spread}
        elif kind == "category":
            column["categories"] = sorted(set(known.astype(str)))
        columns.append(column)
    return Encoding(columns)


def regress(
    encoded: np.ndarray, labels: np.ndarray, classes: int, balanced: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Weights (C, K) and bias (C,) of the logits that the covariates alone give: a logistic regression.

    Args:
        encoded: (N, K) of a training part.
        labels: (N,) class codes; where one of the C classes has no case, all weights are 0.
        classes: C.
        balanced: whether classes count alike whatever their numbers.

    The regression has scikit-learn's L2 penalty, ½|w|², so a number that is always 0 has the weight 0.
    """
    from sklearn.linear_model import LogisticRegression  # late: it takes a second

    if len(np.unique(labels)) < classes:
        return np.zeros((classes, encoded.shape[1])), np.zeros(classes)
    model = LogisticRegression(
        class_weight="balanced" if balanced else None, max_iter=ITERATIONS
    ).fit(encoded, labels)
    if classes == 2:  # one logit z for the two: −z/2 and z/2 have the same softmax
        halves = np.array([[-0.5], [0.5]])
        return halves * model.coef_, halves[:, 0] * model.intercept_
    return model.coef_, model.intercept_


def withheld(table: pd.DataFrame) -> pd.DataFrame:
    """The table of the same lesions with no value known."""
    return pd.DataFrame("", index=table.index, columns=table.columns)


def bag_of_words(texts: Sequence[str]) -> list[str]:
    """Each text as its hashed bag of words, `bucket:count` for each bucket that has a word; "" where there are none.

    Words are two letters or digits or more, in lower case; MurmurHash3 says in which of WORD_BUCKETS one falls. The
    words cannot be read back, though one who guesses a whole text can compare.
    """
    from sklearn.feature_extraction.text import HashingVectorizer  # late: it takes a second

    hashing = HashingVectorizer(n_features=WORD_BUCKETS, norm=None, alternate_sign=False)
    counts = hashing.transform(texts)  # (N, WORD_BUCKETS), sparse
    counts.sort_indices()
    rows = zip(
        np.split(counts.indices, counts.indptr[1:-1]), np.split(counts.data, counts.indptr[1:-1])
    )
    return [" ".join(f"{bucket}:{count:.0f}" for bucket, count in zip(*row)) for row in rows]


def _width(column: Mapping) -> int:
    values = {"number": 1, "category": len(column.get("categories", ())), "text": WORD_BUCKETS}
    return values[column["kind"]] + 1


def _encode(cells: pd.Series, column: Mapping) -> np.ndarray:
    """The columns (N, _width) of one covariate, the last of which says that nothing is known."""
    encoded = np.zeros((len(cells), _width(column)))
    known = _known(cells)
    if column["kind"] == "number":
        encoded[known, 0] = (_numbers(cells[known]) - column["mean"]) / column["std"]
    elif column["kind"] == "category":
        encoded[:, :-1] = cells.astype(str).to_numpy()[:, None] == np.array(
            column["categories"], dtype=str
        )
        known = encoded.any(1)
    else:
        for row in np.flatnonzero(known):
            encoded[row, :-1] = _counts(cells.iloc[row], column["name"])
    encoded[~known, -1] = 1
    return encoded


def _counts(cell: str, name: str) -> np.ndarray:
    """What `bag` wrote, as (WORD_BUCKETS,) of length 1."""
    counts = np.zeros(WORD_BUCKETS)
    try:
        for pair in cell.split():
            bucket, count = pair.split(":")
            counts[int(bucket)] = int(count)
    except (AttributeError, ValueError, IndexError) as error:
        raise InputError(
            f"covariates: {name} is {cell!r}, expected what graft.data.covariates.bag makes of a text"
        ) from error
    return counts / np.linalg.norm(counts)


def _known(cells: pd.Series) -> np.ndarray:
    """Where a cell (N,) holds something."""
    return (cells.notna() & (cells.astype(str).str.strip() != "")).to_numpy(bool)


def to_number(cell: str | float) -> float:
    """The number in a cell; NaN where there is none."""
    try:
        return float(cell)
    except (TypeError, ValueError):
        return math.nan


def _numbers(cells: pd.Series) -> np.ndarray:
    numbers = np.array([to_number(cell) for cell in cells])
    if not np.isfinite(numbers).all():
        wrong = cells[~np.isfinite(numbers)].iloc[0]
        raise InputError(
            f"covariates: {cells.name} is {wrong!r}, expected a number, or nothing where it is not known"
        )
    return numbers
