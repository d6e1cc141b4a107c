"""The table of the attacks that infer who was in the training data of a model."""

from graft.charts.numbers import estimate, number, percent, share
from graft.charts.table import Cell, Row, Table
from graft.evidence.evidence import Block, Evidence


def membership(evidence: Evidence) -> Table | None:
    """Each attacked model with its rates and with the limits of its guarantee."""
    rows: list[Row] = []
    for attack in evidence.attacks["models"]:
        bound = attack["bound"] or {}
        found = "bad" if attack["succeeds"] else ""
        row: Row = [
            attack["model"],
            attack["method"],
            number(attack["members"]),
            number(attack["non_members"]),
            Cell(estimate(attack["auc"]), found),
            share(attack["tpr"]),
            number(bound["auc"]) if bound else "none",
            percent(bound["tpr"]) if bound else "none",
            _verdict(bound),
        ]
        rows.append(row)
    if not rows:
        return None
    rate = percent(evidence.attacks["false_positive_rate"])
    head = [
        "model",
        "attack",
        "trained on",
        "others",
        "AUC",
        f"found at {rate} false positives",
        "AUC allowed by ε",
        "found allowed by ε",
        "guarantee",
    ]
    return Table("Who was trained on? Guessing has an AUC of 0.5", head, rows, wide=True)


def _verdict(bound: Block) -> str | Cell:
    if not bound:
        return "none"
    if bound["broken"]:
        return Cell("broken", "bad")
    return Cell("kept", "good") if bound["below"] else "kept, within chance"
