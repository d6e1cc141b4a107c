"""Tables of the answer: models, gains, numbers of labels, sources."""

from collections.abc import Mapping

from graft.common.vocabulary import TESTS
from graft.report.evidence import Evidence, auroc_of
from graft.report.numbers import difference, estimate, number, p_value, signed, spoken
from graft.report.table import Cell, Table

VERDICT_MARKS = {"helps": "good", "harms": "bad"}


def said(verdict: str) -> Cell:
    """A verdict, marked where it is not silent."""
    return Cell(verdict, VERDICT_MARKS.get(verdict, ""))


def models(evidence: Evidence) -> Table:
    """AUROC of every model and baseline on each part."""
    counts, found = evidence.metrics["target"]["counts"], evidence.metrics
    heads = [
        f"{part} ({counts[part]['lesions']} lesions of {counts[part]['patients']} patients)"
        for part in evidence.parts
    ]
    rows = [
        [spoken(name), *(estimate((model[part] or {}).get("auroc")) for part in evidence.parts)]
        for name, model in (found["models"] | found["baselines"]).items()
        if model
    ]
    return Table(f"AUROC with {evidence.level} intervals, by patient", ["model", *heads], rows)


def gains(evidence: Evidence, part: str) -> Table:
    """Each model against scratch: interval, p, p after Holm, DeLong."""
    rows = []
    for name, parts in evidence.metrics["transfer_gain"].items():
        gain = parts[part] or {}
        delong = gain.get("delong") or {}
        rows.append(
            [
                spoken(name),
                difference(gain or None),
                p_value(gain.get("p")),
                p_value(gain.get("p_holm")),
                _bounds(delong),
                p_value(delong.get("p")),
                _yes(gain.get("non_inferior")),
                number(gain["patients_needed"]) if gain.get("patients_needed") else "–",
            ]
        )
    head = [
        "model",
        f"gain [{evidence.level}]",
        "p",
        "p, Holm",
        "interval, DeLong",
        "p, DeLong",
        "not inferior",
        "patients needed",
    ]
    return Table(f"Gain in AUROC over learning from scratch, {part}", head, rows, wide=True)


def learning_curve(evidence: Evidence, block: Mapping) -> Table:
    """One row a share of the labelled patients."""
    rows = []
    for point in block["points"]:
        gain = point["gain"].get("transfer") or {}
        rows.append(
            [
                number(round(point["patients"])),
                number(round(point["lesions"])),
                *(estimate(auroc_of(point, arm)) for arm in ("scratch", "frozen", "transfer")),
                difference(gain or None),
                p_value(gain.get("p")),
                number(gain.get("draw_sd")),
                said(point["verdict"]),
            ]
        )
    head = [
        "patients",
        "lesions",
        "scratch",
        "frozen features",
        "transfer",
        "gain of transfer",
        "p",
        "draw SD",
        "verdict",
    ]
    caption = f"AUROC on the test part by number of labelled patients, {block['draws']} draws each"
    return Table(caption, head, rows, True)


def cross_validation(evidence: Evidence, block: Mapping) -> Table:
    """Scratch, transfer and the gain, with the spread over seeds beside that over patients."""
    rows = [
        [
            name,
            estimate(model["auroc"]),
            number(model["seed_sd"]),
            _listed(model["by_repeat"], number),
        ]
        for name, model in block["models"].items()
    ]
    gain = block["gain"]
    rows.append(
        [
            "gain of transfer",
            difference(gain),
            number(gain["seed_sd"]),
            _listed(gain["by_repeat"], signed),
        ]
    )
    caption = (
        f"{block['folds']} folds by patient, repeated {block['repeats']} times: {block['patients']} patients, "
        f"{block['lesions']} lesions"
    )
    return Table(
        caption, ["model", f"AUROC [{evidence.level}]", "SD over seeds", "by repeat"], rows
    )


def candidates(block: Mapping) -> Table:
    """What each λ and each source scored, and how often it was chosen within the training folds."""
    rows = [
        [
            found["source"],
            f"{found['lambda']:g}",
            number(found["validation_log_loss"]),
            number(found["auroc"]),
            f"{found['chosen']} of {len(block['choices'])}",
        ]
        for found in block["candidates"]
    ]
    head = ["source", "λ", "log loss, inner validation", "AUROC, outer folds", "chosen"]
    return Table(
        "Candidates of the nested cross-validation: chosen by the inner validation alone",
        head,
        rows,
    )


def distances(block: Mapping) -> Table:
    """How far each source lies from the target, in the features of the network learnt on it."""
    rows = [
        [
            found["source"],
            number(found["lesions"]),
            number(found["frechet"], 2),
            number(found["mmd"]),
            p_value(found["mmd_p"]),
            number(found["proxy_a"], 2),
        ]
        for found in block["distances"]
    ]
    head = ["source", "lesions", "Fréchet", "MMD²", "p of MMD", "proxy A (0 to 2)"]
    return Table(
        f"Distance of each source from {block['target']}: the larger, the less alike", head, rows
    )


def ranking(block: Mapping) -> Table:
    """The sources, best LogME first, beside what came of them."""
    outcomes = {
        found["source"]: found["auroc"]
        for found in (block.get("came_true") or {"outcomes": []})["outcomes"]
    }
    rows = [
        [
            found["source"],
            number(found["logme"]),
            number(found["h_score"]),
            number(outcomes[found["source"]]) if found["source"] in outcomes else "not tried",
        ]
        for found in block["ranking"]
    ]
    head = ["source", "LogME", "H-score", "AUROC it gave"]
    return Table("Sources ranked before any training on the target", head, rows)


def source_itself(evidence: Evidence) -> Table:
    """Whether the source was learnt: if not, there was nothing to transfer."""
    source = evidence.metrics["source"]
    rows = []
    for part in (part for part in TESTS if source["counts"][part]):
        learnt, gain = source["pretrained"], source["gain_over_size"]
        rows.append(
            [
                part,
                estimate(learnt[part]["auroc"]) if learnt and learnt[part] else "not learnt here",
                estimate((source["size_alone"][part] or {}).get("auroc")),
                difference(gain[part] if gain else None),
            ]
        )
    head = ["part", "pretrained", "size alone", "gain over size"]
    return Table(f"{source['name']}, the source, on its own test parts", head, rows)


def _bounds(found: Mapping) -> str:
    if found.get("low") is None or found.get("high") is None:
        return "not defined"
    return f"{signed(found['low'])} to {signed(found['high'])}"


def _listed(values: list[float | None], write: object) -> str:
    return ", ".join(write(value) for value in values)


def _yes(value: bool | None) -> str:
    return {True: "yes", False: "not shown"}.get(value, "not defined")
