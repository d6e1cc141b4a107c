"""Tables of the repeated trainings: learning curve and cross-validation."""

from collections.abc import Callable, Sequence

from graft.charts.numbers import difference, estimate, number, p_value, plural, signed, size
from graft.charts.table import Cell, Table
from graft.evidence.evidence import Block, Evidence, auroc_of_arm

VERDICT_MARKS = {"helps": "good", "harms": "bad"}  # classes of the style sheet


def learning_curve(block: Block) -> Table:
    """One row per share of the labelled patients and arm."""
    rows = []
    for point in block["points"]:
        for arm in point["arms"]:
            row: list[str | Cell] = [labelled(point), arm_name(block, arm)]
            row.append(estimate(auroc_of_arm(point, arm)))
            row += _gain_cells(point["gain"].get(arm))
            rows.append(row)
    head = ["labelled", "arm", "AUROC", "gain over scratch", "p", "SD over draws", "verdict"]
    caption = f"AUROC on the test part by number of labels, {plural(block['draws'], 'draw')} each"
    return Table(caption, head, rows, wide=True)


def arm_name(block: Block, arm: str) -> str:
    """An arm of the learning curve, with a note if it is the one that the verdict is about."""
    return f"{arm} (as transfer)" if arm == block["strategy"] else arm


def _gain_cells(gain: Block | None) -> list[str | Cell]:
    """The gain of an arm, its p, its spread and its verdict; dashes for the reference."""
    if gain is None:
        return ["–"] * 4
    verdict = gain["verdict"]
    return [
        difference(gain),
        p_value(gain["p"]),
        number(gain["draw_sd"]),
        Cell(verdict, VERDICT_MARKS.get(verdict, "")),
    ]


def labelled(point: Block) -> str:
    """The mean number of labelled lesions, and of their patients if these are known."""
    rounded = {"lesions": round(point["lesions"]), "patients": None}
    if point["patients"] is not None:
        rounded["patients"] = round(point["patients"])
    return size(rounded)


def cross_validation(evidence: Evidence, block: Block) -> Table:
    """Scratch, transfer and the gain, with the spread over patients and over seeds."""
    rows = []
    for name, model in block["models"].items():
        repeats = _listed(model["by_repeat"], number)
        rows.append([name, estimate(model["auroc"]), number(model["seed_sd"]), repeats])
    gain = block["gain"]
    repeats = _listed(gain["by_repeat"], signed)
    rows.append(["gain of transfer", difference(gain), number(gain["seed_sd"]), repeats])
    head = ["model", f"AUROC [{evidence.level}]", "SD over seeds", "by repeat"]
    repeats = plural(block["repeats"], "time")
    caption = f"{block['folds']} folds by patient, repeated {repeats}: {size(block)}"
    return Table(caption, head, rows)


def candidates(block: Block) -> Table:
    """The scores of each source, strategy and λ, and how often the training folds chose it."""
    fits = len(block["choices"])
    rows = []
    for found in block["candidates"]:
        row = [
            found["source"],
            found["strategy"],
            f"{found['lambda']:g}",
            number(found["validation_log_loss"]),
            estimate(found["auroc"]),
            f"{found['chosen']} of {fits}",
            difference(found["choice_over_it"]),
        ]
        rows.append(row)
    head = [
        "source",
        "strategy",
        "λ",
        "log loss, inner validation",
        "AUROC, outer folds",
        "chosen",
        "choice minus this",
    ]
    caption = "Candidates of the nested cross-validation; only the inner validation chooses"
    return Table(caption, head, rows, wide=True)


def _listed(values: Sequence[float | None], write: Callable[[float | None], str]) -> str:
    return ", ".join(write(value) for value in values)
