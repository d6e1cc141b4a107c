"""Does a model do worse on some patients than on others? Its scores by site, scanner, size, sex and age."""

from collections.abc import Iterator

import numpy as np

from graft.common.vocabulary import TESTS
from graft.evaluation.study import Study
from graft.statistics.cases import Assessment, Cases, ResampledScores, estimates, gain, score_cases
from graft.statistics.compare import holm
from graft.statistics.scores import auroc, call, confusion, per_class, ranks, sought

LEAST = 5  # patients of a class; of fewer, a score would be about them and not about a group
SHOWN = ("auroc", "sensitivity", "specificity")


def describe(study: Study, name: str, model: Assessment, confidence: float) -> dict:
    """The rows of every group of every test part: {"model": name, "rows": [...]}, as metrics.schema.json has them.

    A score is None where fewer than LEAST patients have a lesion of a class that it needs. A row is flagged where
    p of its gap, after Holm's correction over the rows of its part, is below 1 - confidence.
    """
    rows = []
    for part in (part for part in TESTS if part in study.cases):
        cases = study.cases[part]
        found = [
            {"by": by, "group": group, "part": part, **_row(cases, model, part, inside, confidence)}
            for by, group, inside in groups(study, part)
            if inside.any()
        ]
        corrected = iter(holm([row["gap"]["p"] for row in found if row["gap"]]))
        for row in found:
            row["flagged"] = False
            if row["gap"]:
                row["gap"]["p_holm"] = next(corrected)
                row["flagged"] = bool(row["gap"]["p_holm"] < 1 - confidence)
        rows += found
    return {"model": name, "rows": rows}


def groups(study: Study, part: str) -> Iterator[tuple[str, str, np.ndarray]]:
    """What the groups go by, their name, and which of the N cases of the part are in them: (N,) of bool.

    Cases of which nothing is known are in no group.
    """
    rows = study.cases[part].rows
    kept = study.domain.groups
    known = (
        {}
        if kept is None
        else {name: kept[name].iloc[rows["sample"]].to_numpy(str) for name in kept}
    )
    yield from _by_value("site", rows["site"].to_numpy(str))
    yield from _by_value("scanner", known.get("scanner"))
    yield from _by_size(
        study.domain.index["size"].to_numpy()[study.rows["train"]], rows["size"].to_numpy()
    )
    yield from _by_value("sex", known.get("sex"))
    yield from _by_value("age", known.get("age"))


def _by_value(by: str, cells: np.ndarray | None) -> Iterator[tuple[str, str, np.ndarray]]:
    for value in [] if cells is None else sorted(set(cells.tolist()) - {""}):
        yield by, value, cells == value


def _by_size(training: np.ndarray, sizes: np.ndarray) -> Iterator[tuple[str, str, np.ndarray]]:
    """Thirds of the training part's sizes, whose limits are rounded to three digits; nothing where they coincide."""
    low, high = (float(f"{limit:.3g}") for limit in np.quantile(training, [1 / 3, 2 / 3]))
    if low < high:
        yield "size", f"up to {low:g}", sizes <= low
        yield "size", f"{low:g} to {high:g}", (low < sizes) & (sizes <= high)
        yield "size", f"above {high:g}", sizes > high


def _row(cases: Cases, model: Assessment, part: str, inside: np.ndarray, confidence: float) -> dict:
    probabilities, (here, others) = (
        model.probabilities[part],
        (_some(cases, side) for side in (inside, ~inside)),
    )
    enough = _enough(here, probabilities.shape[1])
    needed = {"sensitivity": enough[1:], "specificity": enough[:1]} if len(enough) == 2 else {}
    found = _measure(here, probabilities[inside], model)
    told, gap = estimates(found, confidence), None
    if enough.all() and _enough(others, len(enough)).all():
        gap = gain(found, _measure(others, probabilities[~inside]), confidence)
    return {
        "patients": len(np.unique(here.patient)),
        "lesions": len(here.labels),
        **{name: told[name] if needed.get(name, enough).all() else None for name in SHOWN},
        "gap": gap,
    }


def _some(cases: Cases, inside: np.ndarray) -> Cases:
    """Some of the cases with the draws of them all, so that whatever is measured on two groups is paired."""
    return Cases(cases.rows[inside], cases.labels[inside], cases.patient[inside], cases.draws)


def _enough(cases: Cases, classes: int) -> np.ndarray:
    """Of which classes LEAST patients or more have a lesion: (C,)."""
    patients = [np.unique(cases.patient[cases.labels == code]) for code in range(classes)]
    return np.array([len(found) >= LEAST for found in patients])


def _measure(
    cases: Cases, probabilities: np.ndarray, model: Assessment | None = None
) -> ResampledScores:
    """AUROC, and with the `model` whose threshold calls the cases also sensitivity and specificity."""
    labels, classes = cases.labels, probabilities.shape[1]

    def scores(weights: np.ndarray) -> dict[str, np.ndarray]:
        areas = [
            auroc(*ranks(labels == code, probabilities[:, code], weights))
            for code in sought(classes)
        ]
        found = {"auroc": np.mean(areas, axis=0)}
        if model:
            shares = per_class(
                confusion(labels, call(probabilities, model.threshold), weights, classes)
            )
            found["sensitivity"] = shares["recall"][:, sought(classes)].mean(1)
            found["specificity"] = shares["specificity"][:, sought(classes)].mean(1)
        return found

    return score_cases(cases, scores)
