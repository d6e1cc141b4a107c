"""Does a model do worse on some patients than on others? Its scores by site, scanner, size, sex and age."""

from collections.abc import Iterator

import numpy as np

from graft.judge import Assessment, Cases, estimates, gain
from graft.measure import Measured, measure
from graft.scores import score
from graft.split import TESTS
from graft.study import Study

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
    known = {} if kept is None else {name: kept[name].iloc[rows["sample"]].to_numpy(str) for name in kept}
    yield from _by_value("site", rows["site"].to_numpy(str))
    yield from _by_value("scanner", known.get("scanner"))
    yield from _by_size(study.domain.index["size"].to_numpy()[study.rows["train"]], rows["size"].to_numpy())
    yield from _by_value("sex", known.get("sex"))
    yield from _by_value("age", known.get("age"))


def holm(p: list[float]) -> list[float]:
    """p-values corrected for there being several, in their order: the k-th smallest of m times m - k + 1, rising.

    One that is not defined (NaN) stays so and is not counted.

    Holm (1979), A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of Statistics 6.
    """
    values = np.array(p, dtype=float)
    order = np.argsort(values)[: int(np.sum(~np.isnan(values)))]  # NaN sorts last
    values[order] = np.minimum(np.maximum.accumulate(values[order] * np.arange(len(order), 0, -1)), 1)
    return values.tolist()


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
    here, classes = _measure(cases, model, part, inside), model.probabilities[part].shape[1]
    told, enough = estimates(here, confidence), _enough(cases, inside, classes)
    needed = {"sensitivity": enough[1:], "specificity": enough[:1]} if classes == 2 else {}
    compared = enough.all() and _enough(cases, ~inside, classes).all()
    return {
        "patients": len(np.unique(cases.patient[inside])),
        "lesions": int(inside.sum()),
        **{name: told[name] if needed.get(name, enough).all() else None for name in SHOWN},
        "gap": gain(here, _measure(cases, model, part, ~inside), confidence) if compared else None,
    }


def _enough(cases: Cases, inside: np.ndarray, classes: int) -> np.ndarray:
    """Of which classes LEAST patients or more have a lesion in a group: (C,)."""
    found = [np.unique(cases.patient[inside & (cases.labels == code)]) for code in range(classes)]
    return np.array([len(patients) >= LEAST for patients in found])


def _measure(cases: Cases, model: Assessment, part: str, inside: np.ndarray) -> Measured:
    labels, probabilities = cases.labels[inside], model.probabilities[part][inside]

    def scores(weights: np.ndarray) -> dict[str, np.ndarray]:
        found = score(labels, probabilities, weights[:, inside], model.threshold)
        return {name: found[name] for name in SHOWN}

    return measure(cases, scores)
