"""Tables of the chosen model's errors: confusion matrices and the hardest cases."""

from collections.abc import Iterator, Sequence

import pandas as pd

from graft.charts.numbers import number, percent
from graft.charts.table import Table
from graft.evidence.evidence import Block, Evidence

HARDEST = 10  # cases listed


def confusions(evidence: Evidence) -> Iterator[Table]:
    """Yield the confusion at the chosen threshold and at each operating point, on each part."""
    model = evidence.metrics["models"][evidence.chosen]
    classes = evidence.classes
    for part in evidence.parts:
        caption = f"{evidence.chosen}, {part}: "
        if model["threshold"] is None:
            caption += "the most likely class is predicted"
        else:
            caption += f"threshold {model['threshold']:.3f}, the best on {evidence.validation}"
        yield _confusion(caption, model[part]["confusion"], classes)
    for kind, point in (model.get("operating_points") or {}).items():
        if not point or point["threshold"] is None:
            continue
        for part in evidence.parts:
            cases = evidence.cases(evidence.chosen, part)
            caption = (
                f"{evidence.chosen}, {part}: threshold {point['threshold']:.3f}, "
                f"for a {kind} of {point['wanted']:g}"
            )
            yield _confusion(caption, _counts(cases, point["threshold"], classes), classes)


def hardest(evidence: Evidence, part: str) -> Table:
    """The cases to whose actual class the chosen model gave the lowest probability."""
    cases = evidence.cases(evidence.chosen, part)
    probabilities = [cases.loc[index, f"p_{label}"] for index, label in cases["label"].items()]
    cases = cases.assign(p=pd.to_numeric(pd.Series(probabilities, index=cases.index)))
    cases = cases.sort_values("p", kind="stable")[:HARDEST]
    rows = []
    for case in cases.itertuples():
        rows.append([case.sample, case.label, case.predicted, number(case.p)])
    caption = f"The {len(rows)} hardest cases of the {part} part for {evidence.chosen}"
    head = ["sample", "actual class", "predicted class", "probability of the actual class"]
    return Table(caption, head, rows)


def _counts(cases: pd.DataFrame, threshold: float, classes: Sequence[str]) -> Block:
    """Lesions by actual and predicted class, with two classes and a threshold for the second."""
    healthy, disease = classes
    positive = cases[f"p_{disease}"] >= threshold
    counts = {}
    for label in classes:
        of_class = cases["label"] == label
        counts[label] = {
            healthy: int((of_class & ~positive).sum()),
            disease: int((of_class & positive).sum()),
        }
    return counts


def _confusion(caption: str, counts: Block, classes: Sequence[str]) -> Table:
    rows = []
    for actual in classes:
        total = sum(counts[actual].values())
        row = [actual]
        for predicted in classes:
            count = counts[actual][predicted]
            row.append(f"{count} ({percent(count / total)})" if total else str(count))
        rows.append(row)
    return Table(caption, ["actual class", *(f"predicted {label}" for label in classes)], rows)
