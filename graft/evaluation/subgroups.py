"""Scores of a model by site, scanner, size, sex and age, and the gap to all other patients."""

from collections.abc import Iterator

import numpy as np

from graft.common.vocabulary import TESTS
from graft.evaluation.evaluated_domain import EvaluatedDomain
from graft.statistics.cases import (
    Assessment,
    Cases,
    ResampledScores,
    estimates,
    gain,
    score_cases,
)
from graft.statistics.compare import holm
from graft.statistics.scores import (
    auroc,
    call,
    classes_to_average,
    confusion,
    per_class,
    ranks,
)

LEAST = 5  # patients of a class; with fewer, a score describes individuals and not a group
SCORES = ("auroc", "sensitivity", "specificity")

Group = tuple[str, str, np.ndarray]  # kind, name, and whether each case is in it (N,)


def score_subgroups(
    domain: EvaluatedDomain,
    name: str,
    model: Assessment,
    confidence: float,
) -> dict:
    """Score a model on every group of every test part.

    Args:
        domain: the target.
        name: of the model.
        model: its assessment.
        confidence: of the intervals.

    Returns:
        {"model": name, "rows": [...]}, as in metrics.schema.json. A score is None if fewer than
        LEAST patients have a lesion of a class that it needs. A row is flagged if p of its gap,
        after Holm's correction over the rows of its part, is below 1 - confidence.
    """
    rows = []
    for part in TESTS:
        if part not in domain.cases:
            continue
        rows_of_part = []
        for by, group, inside in groups(domain, part):
            if inside.any():
                scores = _score_group(domain.cases[part], model, part, inside, confidence)
                rows_of_part.append({"by": by, "group": group, "part": part, **scores})
        _flag(rows_of_part, confidence)
        rows += rows_of_part
    return {"model": name, "rows": rows}


def groups(domain: EvaluatedDomain, part: str) -> Iterator[Group]:
    """Yield the groups of the N cases of a part. A case without a value is in no group."""
    rows = domain.cases[part].rows
    training_sizes = domain.domain.index["size"].to_numpy()[domain.rows["train"]]
    columns = {}
    table = domain.domain.groups
    if table is not None:
        for name in table:
            columns[name] = table[name].iloc[rows["sample"]].to_numpy(str)
    yield from _groups_by_value("site", rows["site"].to_numpy(str))
    yield from _groups_by_value("scanner", columns.get("scanner"))
    yield from _groups_by_size(training_sizes, rows["size"].to_numpy())
    yield from _groups_by_value("sex", columns.get("sex"))
    yield from _groups_by_value("age", columns.get("age"))


def _groups_by_value(by: str, cells: np.ndarray | None) -> Iterator[Group]:
    if cells is None:
        return
    for value in sorted(set(cells.tolist()) - {""}):
        yield by, value, cells == value


def _groups_by_size(training_sizes: np.ndarray, sizes: np.ndarray) -> Iterator[Group]:
    """Yield thirds of the training part's sizes, with limits of three digits.

    There are no groups if the limits are equal.
    """
    limits = np.quantile(training_sizes, [1 / 3, 2 / 3])
    low, high = (float(f"{limit:.3g}") for limit in limits)
    if low < high:
        yield "size", f"up to {low:g}", sizes <= low
        yield "size", f"{low:g} to {high:g}", (low < sizes) & (sizes <= high)
        yield "size", f"above {high:g}", sizes > high


def _score_group(
    cases: Cases,
    model: Assessment,
    part: str,
    inside: np.ndarray,
    confidence: float,
) -> dict:
    probabilities = model.probabilities[part]
    classes = probabilities.shape[1]
    group = _select(cases, inside)
    others = _select(cases, ~inside)
    enough = _enough_patients(group, classes)
    enough_of_others = _enough_patients(others, classes)
    scores = _resample_scores(group, probabilities[inside], model)
    gap = None
    if enough.all() and enough_of_others.all():
        gap = gain(scores, _resample_scores(others, probabilities[~inside]), confidence)
    defined = dict.fromkeys(SCORES, enough.all())
    if classes == 2:
        defined["sensitivity"] = enough[1]
        defined["specificity"] = enough[0]
    found = estimates(scores, confidence)
    return {
        "patients": len(np.unique(group.patient)),
        "lesions": len(group.labels),
        **{name: found[name] if defined[name] else None for name in SCORES},
        "gap": gap,
    }


def _flag(rows: list[dict], confidence: float) -> None:
    """Add `flagged` to each row of a part and `p_holm` to its gap."""
    gaps = [row["gap"] for row in rows if row["gap"]]
    corrected = holm([gap["p"] for gap in gaps])
    for gap, p_holm in zip(gaps, corrected, strict=True):
        gap["p_holm"] = p_holm
    for row in rows:
        gap = row["gap"]
        row["flagged"] = bool(gap and gap["p_holm"] < 1 - confidence)


def _select(cases: Cases, inside: np.ndarray) -> Cases:
    """Return some of the cases with the draws of all, so that scores of two groups are paired."""
    return Cases(
        cases.rows[inside],
        cases.labels[inside],
        cases.patient[inside],
        cases.draws,
    )


def _enough_patients(cases: Cases, classes: int) -> np.ndarray:
    """Return whether LEAST patients or more have a lesion of each class: (C,)."""
    patients = np.zeros(classes, int)
    for code in range(classes):
        patients[code] = len(np.unique(cases.patient[cases.labels == code]))
    return patients >= LEAST


def _resample_scores(
    cases: Cases, probabilities: np.ndarray, model: Assessment | None = None
) -> ResampledScores:
    """Compute AUROC, and with a model also sensitivity and specificity at its threshold."""
    averaged = classes_to_average(probabilities.shape[1])

    def scores(weights: np.ndarray) -> dict[str, np.ndarray]:
        areas = []
        for code in averaged:
            positives, negatives = ranks(cases.labels == code, probabilities[:, code], weights)
            areas.append(auroc(positives, negatives))
        found = {"auroc": np.mean(areas, axis=0)}
        if model:
            called = call(probabilities, model.threshold)
            matrix = confusion(cases.labels, called, weights, probabilities.shape[1])
            by_class = per_class(matrix)
            found["sensitivity"] = by_class["recall"][:, averaged].mean(1)
            found["specificity"] = by_class["specificity"][:, averaged].mean(1)
        return found

    return score_cases(cases, scores)
