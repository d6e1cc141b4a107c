"""The covariate `log_size`, which graft measures itself, in raw data of any form."""

import math

import pandas as pd

LOG_SIZE = "log_size"


def add_log_size(covariates: pd.DataFrame | None, sizes: pd.Series) -> pd.DataFrame:
    """Add the natural logarithm of the lesion's size as the last column LOG_SIZE.

    Sizes spread over orders of magnitude, and their logarithm is what the baseline "size alone"
    reads. A size of 0 is unknown.

    Args:
        covariates: of N lesions, or None.
        sizes: (N,), the column `size` of the index.
    """
    cells = [f"{math.log(size):.6g}" if size else "" for size in sizes]
    table = pd.DataFrame(index=range(len(cells))) if covariates is None else covariates
    return table.assign(**{LOG_SIZE: cells})
