"""The covariates of a lesion, as the table that a model reads."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from graft.common.files import InputError
from graft.data.covariates import Encoding, bag_of_words
from graft.ingest.columns import MAX_NUMBER
from graft.ingest.log_size import LOG_SIZE, add_log_size
from graft.prediction.form import InputForm


def covariate_row(
    form: InputForm, encoding: Encoding, given: Mapping[str, str], size: float | None
) -> pd.DataFrame:
    """The covariates of one lesion as a table with one row.

    Args:
        form: of the inputs of the model.
        encoding: of the model.
        given: values as text, "" for one that is unknown.
        size: of the lesion, if the model reads it.

    Raises:
        InputError: if a value is missing or cannot be read, or the size is not known.
    """
    missing = [name for name in form.columns if name not in given]
    if missing:
        raise InputError(
            f"covariates: {', '.join(missing)} is missing, expected a value, or an empty one if it "
            "is not known (--covariate NAME=VALUE, or a column of the manifest)"
        )
    row = {}
    for name in form.columns:
        cell = given[name].strip()
        row[name] = bag_of_words([cell])[0] if form.kinds[name] == "text" else cell
    table = pd.DataFrame([row], columns=form.columns, dtype=str)
    if form.reads_size:
        if size is None:
            raise InputError(
                f"covariates: {LOG_SIZE} needs the diameter of the lesion, which the model reads; "
                "expected a mask, or a diameter (--diameter, or diameter_mm in the manifest)"
            )
        table = add_log_size(table, pd.Series([size]))
    encoded = encoding.encode(table)
    if not (np.abs(encoded) <= MAX_NUMBER).all():
        raise InputError("covariates: a number is too large for float32, expected a smaller one")
    return table
