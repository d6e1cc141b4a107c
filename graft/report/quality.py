"""Tables of how good the models are: calibration, operating points, errors, subgroups, robustness."""

from collections.abc import Iterator, Mapping

import pandas as pd

from graft.report.evidence import Evidence
from graft.report.numbers import difference, estimate, number, p_value, percent, plural, spoken
from graft.report.table import Cell, Table

LOSSES = {"log_loss": "log loss", "brier": "Brier score", "ece": "calibration error"}
CALIBRATIONS = {"before": "as it is", "temperature": "temperature", "isotonic": "isotonic"}
HARDEST = 10  # cases listed


def calibration(evidence: Evidence, part: str) -> Table | None:
    """Log loss, Brier score and calibration error of every model, before and after."""
    rows = []
    for name, model in evidence.metrics["models"].items():
        found = (model.get("calibration") or {"parts": {}})["parts"].get(part)
        for kind, label in CALIBRATIONS.items() if found else ():
            rows.append([f"{name}, {label}", *(estimate(found[kind][loss]) for loss in LOSSES)])
    if not rows:
        return None
    caption = f"Before and after calibration, {part}: the lower, the better"
    return Table(caption, ["model", *LOSSES.values()], rows, True)


def temperatures(evidence: Evidence) -> str:
    """The temperature of each model in a sentence."""
    found = {name: model.get("calibration") for name, model in evidence.metrics["models"].items()}
    told = ", ".join(
        f"{name} {number(block['temperature'], 2)}" for name, block in found.items() if block
    )
    if not told:
        return ""
    return f"Temperatures, fitted on the validation part (above 1: the model was too sure of itself): {told}."


def operating_points(evidence: Evidence) -> list[Table]:
    """A table for the wanted sensitivity and one for the wanted specificity; none with more than two classes."""
    tables = []
    for kind in ("sensitivity", "specificity"):
        rows, wanted = [], None
        for name, model in evidence.metrics["models"].items():
            point = (model.get("operating_points") or {}).get(kind)
            if not point:
                continue
            wanted = point["wanted"]
            for part in evidence.parts:
                found = point[part] or {}
                scores = (
                    estimate(found.get(score))
                    for score in ("sensitivity", "specificity", "precision")
                )
                rows.append(
                    [
                        f"{name}, {part}",
                        number(point["threshold"]),
                        number(point["validation"][kind]),
                        *scores,
                    ]
                )
        if rows:
            head = [
                "model",
                "threshold",
                f"{kind}, validation",
                "sensitivity",
                "specificity",
                "precision",
            ]
            caption = f"Operating point for a {kind} of {wanted:g}, chosen on the validation part"
            tables.append(Table(caption, head, rows, True))
    return tables


def confusions(evidence: Evidence) -> Iterator[Table]:
    """The chosen model's calls against the truth, at its threshold and at each operating point, on each part."""
    model = evidence.metrics["models"][evidence.chosen]
    for part in evidence.parts:
        if model["threshold"] is None:
            caption = f"{evidence.chosen}, {part}: the likeliest class is called"
        else:
            caption = f"{evidence.chosen}, {part}: called from {model['threshold']:.3f} on, the best on validation"
        yield _confusion(caption, model[part]["confusion"], evidence.classes)
    for kind, point in (model.get("operating_points") or {}).items():
        for part in evidence.parts:
            if point and point["threshold"] is not None:
                caption = f"{evidence.chosen}, {part}: called from {point['threshold']:.3f} on"
                counts = _called(
                    evidence.cases(evidence.chosen, part), point["threshold"], evidence.classes
                )
                yield _confusion(
                    f"{caption}, for a {kind} of {point['wanted']:g}", counts, evidence.classes
                )


def subgroups(block: Mapping, part: str) -> Table | None:
    """Each group of the part against all others of it."""
    rows = [
        [
            f"{found['by']}: {found['group']}",
            number(found["patients"]),
            number(found["lesions"]),
            estimate(found["auroc"]),
            estimate(found["sensitivity"]),
            estimate(found["specificity"]),
            Cell(difference(found["gap"]), "bad" if found["flagged"] else ""),
            Cell("flagged", "bad") if found["flagged"] else "",
        ]
        for found in block["rows"]
        if found["part"] == part
    ]
    if not rows:
        return None
    head = [
        "group",
        "patients",
        "lesions",
        "AUROC",
        "sensitivity",
        "specificity",
        "gap to all others",
        "flag",
    ]
    return Table(f"{block['model']} by subgroup, {part}", head, rows, True)


def flagged(block: Mapping) -> str:
    """Which gaps leave out 0, in a sentence."""
    rows = [row for row in block["rows"] if row["flagged"]]
    if not rows:
        return "No gap is flagged: none leaves out 0 once corrected for their number. Small groups hide large gaps."
    told = ", ".join(
        f"{row['by']} {row['group']} ({row['part']}, {difference(row['gap'])})" for row in rows
    )
    return f"{plural(len(rows), 'gap')} flagged, AUROC here less that of all others: {told}."


def ablation(evidence: Evidence) -> Table | None:
    """What image and covariates each know."""
    found = evidence.block("ablation")
    if not found:
        return None
    rows = [
        [
            spoken(name),
            *(estimate((found[name][part] or {}).get("auroc")) for part in evidence.parts),
        ]
        for name in ("both", "image_only", "covariates_only")
    ]
    rows += [
        [label, *(difference(found[name][part]) for part in evidence.parts)]
        for name, label in (
            ("gain_of_image", "the image adds"),
            ("gain_of_covariates", "the covariates add"),
        )
    ]
    caption = f"{evidence.chosen} with the image, the covariates and both: AUROC"
    return Table(caption, ["it was shown", *evidence.parts], rows)


def robustness(evidence: Evidence) -> Table | None:
    """AUROC under each corruption, and what it lost."""
    found = evidence.robustness
    if not found or not found["rows"]:
        return None
    rows = [["as they are", estimate(found["auroc"]), "–", "–"]]
    rows += [
        [
            f"{spoken(row['corruption'])}, {row['amount']:g} {row['unit']}",
            estimate(row["auroc"]),
            difference(row["drop"]),
            p_value((row["drop"] or {}).get("p")),
        ]
        for row in found["rows"]
    ]
    caption = f"{found['model']} on corrupted images, {found['part']}: the drop is what they cost"
    return Table(caption, ["corruption", "AUROC", "drop", "p of the drop"], rows)


def hardest(evidence: Evidence, part: str) -> Table:
    """The cases whose true class the chosen model thought the least likely."""
    rows = evidence.cases(evidence.chosen, part)
    known = [rows.loc[row, f"p_{label}"] for row, label in rows["label"].items()]
    rows = rows.assign(p=pd.to_numeric(pd.Series(known, index=rows.index))).sort_values(
        "p", kind="stable"
    )[:HARDEST]
    table = [[row.sample, row.label, row.predicted, number(row.p)] for row in rows.itertuples()]
    caption = f"The {len(table)} hardest cases of the {part} part for {evidence.chosen}"
    return Table(caption, ["sample", "it is", "it was called", "probability of what it is"], table)


def _called(rows: pd.DataFrame, threshold: float, classes: list[str]) -> dict[str, dict[str, int]]:
    """Lesions by true and called class, the disease called from a threshold on."""
    called = (rows[f"p_{classes[1]}"] >= threshold).map({True: classes[1], False: classes[0]})
    return {
        true: {said: int(((rows["label"] == true) & (called == said)).sum()) for said in classes}
        for true in classes
    }


def _confusion(caption: str, counts: Mapping[str, Mapping[str, int]], classes: list[str]) -> Table:
    rows = []
    for true in classes:
        total = sum(counts[true].values())
        cells = (
            f"{n} ({percent(n / total)})" if total else str(n)
            for n in (counts[true][said] for said in classes)
        )
        rows.append([f"is {true}", *cells])
    return Table(caption, ["truth", *(f"called {said}" for said in classes)], rows)
