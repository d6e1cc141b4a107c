"""What the features of a network contain: how well a linear regression reads a number from them."""

from collections.abc import Iterator, Mapping

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.markdown import markdown_head, markdown_row

FOLDS = 5
PENALTIES = np.logspace(-3, 4, 15)


def explained_share(features: np.ndarray, values: np.ndarray, patients: np.ndarray) -> float:
    """Return R², the share of the variance of values that ridge regression explains.

    Each patient is predicted by a regression on others. The penalty is chosen among them.

    Args:
        features: (N, F).
        values: (N,), the numbers to read.
        patients: (N,)
    """
    regression = make_pipeline(StandardScaler(), RidgeCV(PENALTIES))
    folds = GroupKFold(FOLDS)
    predicted = cross_val_predict(regression, features, values, groups=patients, cv=folds)
    return float(1 - ((values - predicted) ** 2).sum() / ((values - values.mean()) ** 2).sum())


def contents_table(
    features: Mapping[str, np.ndarray], values: Mapping[str, np.ndarray], patients: np.ndarray
) -> Iterator[str]:
    """Yield a table of R²: a row per network, a column per number."""
    yield from markdown_head("features of", *(f"R² of {name}" for name in values))
    for network, found in features.items():
        shares = [explained_share(found, numbers, patients) for numbers in values.values()]
        yield markdown_row(network, *(f"{share:.2f}" for share in shares))
