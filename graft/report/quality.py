"""Tables of the models' quality: calibration, operating points, subgroups, robustness."""

from graft.charts.numbers import difference, estimate, number, p_value, patients_of, plural, spoken
from graft.charts.table import Cell, Row, Table
from graft.evidence.evidence import Block, Evidence, score_of

LOSSES = {"log_loss": "log loss", "brier": "Brier score", "ece": "calibration error"}
CALIBRATIONS = {"before": "uncalibrated", "temperature": "temperature", "isotonic": "isotonic"}
KINDS = ("sensitivity", "specificity")  # of operating points
SCORES = ("sensitivity", "specificity", "precision")


def calibration(evidence: Evidence, part: str) -> Table | None:
    """Log loss, Brier score and calibration error of every model for each calibration."""
    rows = []
    for name, model in evidence.metrics["models"].items():
        block = model.get("calibration")
        scores = block["parts"].get(part) if block else None
        if not scores:
            continue
        for kind, label in CALIBRATIONS.items():
            losses = [estimate(scores[kind][loss]) for loss in LOSSES]
            rows.append([f"{name}, {label}", *losses])
    if not rows:
        return None
    caption = f"Before and after calibration, {part}: lower is better"
    return Table(caption, ["model", *LOSSES.values()], rows, wide=True)


def temperatures(evidence: Evidence) -> str:
    """The temperature of each model in a sentence; empty without calibration."""
    texts = []
    for name, model in evidence.metrics["models"].items():
        block = model.get("calibration")
        if block:
            texts.append(f"{name} {number(block['temperature'], 2)}")
    if not texts:
        return ""
    return (
        f"Temperatures, fitted on {evidence.validation} (above 1: the model was overconfident): "
        f"{', '.join(texts)}."
    )


def operating_points(evidence: Evidence) -> list[Table]:
    """One table per kind of operating point; none with more than two classes."""
    tables = [_operating_points_of_kind(evidence, kind) for kind in KINDS]
    return [table for table in tables if table]


def subgroups(block: Block, part: str) -> Table | None:
    """Each group of a part, compared with all other patients of the part."""
    rows = []
    for found in block["rows"]:
        if found["part"] != part:
            continue
        mark = "bad" if found["flagged"] else ""
        row: Row = [
            f"{found['by']}: {found['group']}",
            patients_of(found),
            number(found["lesions"]),
            estimate(found["auroc"]),
            estimate(found["sensitivity"]),
            estimate(found["specificity"]),
            Cell(difference(found["gap"]), mark),
            Cell("flagged" if found["flagged"] else "", mark),
        ]
        rows.append(row)
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
    return Table(f"{block['model']} by subgroup, {part}", head, rows, wide=True)


def flagged(block: Block) -> str:
    """The gaps that are significant after Holm's correction, in a sentence."""
    texts = []
    for row in block["rows"]:
        if row["flagged"]:
            texts.append(f"{row['by']} {row['group']} ({row['part']}, {difference(row['gap'])})")
    if not texts:
        return (
            "No gap is flagged: none is significant after correction for the number of "
            "comparisons. Small groups can hide large gaps."
        )
    count = plural(len(texts), "gap")
    return f"{count} flagged (AUROC of the group minus AUROC of all others): {', '.join(texts)}."


def robustness(evidence: Evidence) -> Table | None:
    """AUROC under each corruption and the loss against clean images."""
    block = evidence.robustness
    if not block or not block["rows"]:
        return None
    rows = [["clean images", estimate(block["auroc"]), "–", "–"]]
    for found in block["rows"]:
        drop = found["drop"] or {}
        row = [
            f"{spoken(found['corruption'])}, {found['amount']:g} {found['unit']}",
            estimate(found["auroc"]),
            difference(drop),
            p_value(drop.get("p")),
        ]
        rows.append(row)
    caption = (
        f"{block['model']} on corrupted images, {block['part']}: the drop is the loss in AUROC"
    )
    return Table(caption, ["corruption", "AUROC", "drop", "p of the drop"], rows)


def _operating_points_of_kind(evidence: Evidence, kind: str) -> Table | None:
    rows = []
    wanted = None
    for name, model in evidence.metrics["models"].items():
        point = (model.get("operating_points") or {}).get(kind)
        if not point:
            continue
        wanted = point["wanted"]
        for part in evidence.parts:
            row = [
                f"{name}, {part}",
                number(point["threshold"]),
                number(point["validation"][kind]),
                *(estimate(score_of(point[part], score)) for score in SCORES),
            ]
            rows.append(row)
    if not rows:
        return None
    caption = f"Operating point for a {kind} of {wanted:g}, chosen on {evidence.validation}"
    head = ["model", "threshold", f"{kind}, validation", *SCORES]
    return Table(caption, head, rows, wide=True)
