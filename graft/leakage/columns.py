"""Columns that give the answer away: covariates that a model reads, and tasks that it predicts.

A covariate that determines the label is an answer, not a finding: it was recorded after the
diagnosis, or derived from it. A task that determines the label is the label again, and a gain over
single-task training would mean nothing. A covariate that is a task elsewhere in the run is a rating
by a reader of the image, and a model that reads it does not have to look.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from graft.common.files import InputError
from graft.data.covariates import to_number
from graft.data.domain import Domain
from graft.leakage.rows import CheckRow, counted, first_few, passed_check

NEARLY = 0.99  # of a share or an AUROC: from here on a column gives the label away
LEAST_PATIENTS = 10  # of each class: among fewer, a column may separate the classes by chance


def check_columns(domains: Sequence[Domain]) -> list[CheckRow]:
    """Check the covariates and tasks of the domains of a run.

    A column gives the label away if

    - of the lesions of each class, on average NEARLY or more have the label of most of the other
      patients with the same value, or of those whose value is known or unknown as well; or
    - it is a number or a rating that separates a class from the others with an AUROC of NEARLY or
      more, in either direction.

    Lesions whose value is unknown count as lesions with one more value if the column is a
    covariate, because models know that it is unknown. They do not count if it is a task.

    Returns:
        A row for each domain.

    Raises:
        InputError: if a covariate is a task of one of the domains, or if a column gives the label
            away.
    """
    _check_names(domains)
    return [_check_domain(domain) for domain in domains]


def _check_names(domains: Sequence[Domain]) -> None:
    """Raise InputError if a covariate of a domain has the name of a task, of any domain."""
    rated: dict[str, str] = {}
    for domain in domains:
        for name in domain.task_kinds:
            rated.setdefault(name.casefold(), f"domains.{domain.name}.tasks.{name}")
    for domain in domains:
        for name in domain.kinds:
            if name.casefold() in rated:
                raise InputError(
                    f"domains.{domain.name}.covariates.{name}: is also {rated[name.casefold()]}, "
                    "expected a column that a model either reads or predicts, because a reader's "
                    "rating of the image gives the answer away"
                )


def _check_domain(domain: Domain) -> CheckRow:
    checked, unchecked = 0, []
    for key, kinds, table in (
        ("covariates", domain.kinds, domain.covariates),
        ("tasks", domain.task_kinds, domain.tasks),
    ):
        for name, kind in kinds.items():
            assert table is not None, "a domain has the table of its columns"
            judged = table[name] != "" if key == "tasks" else np.full(len(table), True)
            if _fewest_patients(domain, judged) < LEAST_PATIENTS:
                unchecked.append(name)
                continue
            checked += 1
            found = _find_leak(domain, table[name], kind, np.asarray(judged))
            if found:
                raise InputError(
                    f"domains.{domain.name}.{key}.{name}: {found}, so it gives the label away; "
                    "expected a column that does not follow from the label"
                )
    looked_at = (
        f"{counted(len(domain.kinds), 'covariate')}, {counted(len(domain.task_kinds), 'task')}"
    )
    found = "nothing that could give the label away"
    if checked:
        found = f"{counted(checked, 'column')} without a near copy of the label"
    if unchecked:
        found += f"; not known in {LEAST_PATIENTS} patients of each class: {first_few(unchecked)}"
    return passed_check("label columns", domain.name, looked_at, found)


def _fewest_patients(domain: Domain, judged: np.ndarray) -> int:
    """The number of patients of the class with the fewest, among the judged lesions."""
    index = domain.index[judged]
    patients = index.groupby("label")["patient"].nunique()
    return int(patients.reindex(domain.classes, fill_value=0).min())


def _find_leak(domain: Domain, cells: pd.Series, kind: str, judged: np.ndarray) -> str:
    """How a column gives the label away, in words; "" if it does not."""
    index = domain.index[judged]
    labels = index["label"].to_numpy()
    patients = index["patient"].to_numpy()
    share = share_with_label_of_others(cells[judged].to_numpy(), labels, patients)
    if share >= NEARLY:
        return f"{share:.1%} of the lesions have the label of most others with the same value"
    is_known = np.where(cells[judged] == "", "unknown", "known")
    share = share_with_label_of_others(is_known, labels, patients)
    if share >= NEARLY:
        return f"whether it is known tells the label of {share:.1%} of the lesions"
    if kind not in ("number", "ordinal"):
        return ""
    numbers = cells[judged].map(to_number).to_numpy(float)
    known = ~np.isnan(numbers)
    if _fewest_patients(domain, judged & (cells != "").to_numpy()) < LEAST_PATIENTS:
        return ""
    for label in domain.classes:
        auroc = separation(numbers[known], labels[known] == label)
        if auroc >= NEARLY:
            return f"it separates {label} from the rest with an AUROC of {auroc:.3f}"
    return ""


def share_with_label_of_others(
    values: np.ndarray, labels: np.ndarray, patients: np.ndarray
) -> float:
    """The share of lesions whose label is that of most other patients with the same value.

    It is a mean over the classes, so that it is 1 / C if the value says nothing. All lesions of a
    patient are left out for each of them. A value that only one patient has says nothing.

    Args:
        values: (N,) as text.
        labels: (N,).
        patients: (N,).
    """
    value, kinds = pd.factorize(values)
    label, classes = pd.factorize(labels)
    own, groups = pd.factorize(pd.Series(list(zip(patients, value, strict=True))))
    number = np.zeros((len(kinds), len(classes)))
    of_patient = np.zeros((len(groups), len(classes)))
    np.add.at(number, (value, label), 1)
    np.add.at(of_patient, (own, label), 1)
    others = number[value] - of_patient[own]  # (N, C)
    rows = np.arange(len(values))
    same = others[rows, label].copy()
    others[rows, label] = 0
    agrees = same > others.max(1)
    return float(pd.Series(agrees).groupby(label).mean().mean())


def separation(numbers: np.ndarray, positive: np.ndarray) -> float:
    """The AUROC of numbers (N,) for `positive` (N,), or 1 minus it if that is larger.

    It follows from the ranks: Hanley and McNeil (1982), Radiology 143.
    """
    from scipy.stats import rankdata  # late: it takes a tenth of a second

    count = int(positive.sum())
    ranks = rankdata(numbers)  # equal numbers share their mean rank
    below = ranks[positive].mean() - (count + 1) / 2
    auroc = below / (len(numbers) - count)
    return float(max(auroc, 1 - auroc))
