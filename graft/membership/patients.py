"""Whose membership is attacked: the patients that a model trained on, and others like them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from graft.data.domain import Domain


@dataclass(frozen=True)
class Patients:
    """P patients with N lesions.

    Attributes:
        rows: (N,) of the domain's index.
        labels: (N,) class codes.
        patients: (N,) codes from 0 to P - 1.
        is_member: (P,) whether a model trained on the patient.
    """

    rows: np.ndarray
    labels: np.ndarray
    patients: np.ndarray
    is_member: np.ndarray


def choose_patients(domain: Domain, parts: Mapping[str, np.ndarray]) -> Patients | None:
    """Choose members and non-members that differ in nothing but their membership.

    Members are the patients of the training part. Non-members are those of the test part that come
    from one of the members' sites. Patients of the external site are neither: an attack could
    recognise their scanner instead of their membership. Validation patients are neither, because
    they decided when training stopped.

    Args:
        domain: that models were trained on.
        parts: rows of its index by part.

    Returns:
        The patients; None if no patient of the test part is from a site of the training part.
    """
    index = domain.index
    train, test = parts["train"], parts["test"]
    sites = index["site"].iloc[train].unique()
    others = test[index["site"].iloc[test].isin(sites).to_numpy()]
    if not len(others):
        return None
    rows = np.concatenate([train, others])
    codes, _ = pd.factorize(index["patient"].iloc[rows])  # those of the members come first
    members = codes[: len(train)].max() + 1
    return Patients(
        rows=rows,
        labels=index["label"].iloc[rows].map(domain.classes.index).to_numpy(np.int64),
        patients=codes,
        is_member=np.arange(codes.max() + 1) < members,
    )
