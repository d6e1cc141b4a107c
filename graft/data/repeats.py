"""The patients that repeated trainings divide again, in a learning curve or cross-validation."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from graft.common.files import InputError
from graft.common.shown import counted


def check_repeats(
    index: pd.DataFrame,
    labelled: np.ndarray,
    shares: Sequence[float],
    folds: int,
) -> None:
    """Check, before any training on a target, that repeated trainings would have patients.

    Args:
        index: a row per lesion of the target.
        labelled: the rows to train and to validate on.
        shares: of the patients with labels, for the learning curve.
        folds: of the cross-validation.

    Raises:
        InputError: if a share has fewer patients than there are classes, or if there are more
            folds than patients.
    """
    patients = index["patient"].iloc[labelled].nunique()
    classes = index["label"].nunique()
    for share in shares:
        drawn = round(share * patients)
        if drawn < classes:
            raise InputError(
                f"learning_curve.shares: got {share:g}, which is {drawn} of the target's "
                f"{counted(patients, 'patient')} with labels, expected at least {classes}, one of "
                "each class"
            )
    everybody = index["patient"].nunique()
    if folds > everybody:
        raise InputError(
            f"cross_validation.folds: got {folds}, expected at most {everybody}, "
            "the number of the target's patients"
        )


def pool_for_cross_validation(
    parts: Mapping[str, np.ndarray], index: pd.DataFrame
) -> tuple[np.ndarray, float]:
    """The rows that cross-validation divides again, and the share of patients that validates.

    The external site is left out, and so is a test part that the raw data gave. The share is that
    of the split: the validation patients among those of train and validation, or 0 if there is no
    validation part.

    Args:
        parts: the rows of the index by part.
        index: a row per lesion of the domain.
    """
    validation = parts.get("validation", np.zeros(0, np.int64))
    pool = [parts["train"], validation]
    given = (index["split"].iloc[parts["test"]] != "").any()
    if not given:
        pool.append(parts["test"])
    training = index["patient"].iloc[parts["train"]].nunique()
    validating = index["patient"].iloc[validation].nunique()
    return np.sort(np.concatenate(pool)), validating / (training + validating)
