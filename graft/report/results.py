"""Tables of the main results: models, gains, covariates and the source domain."""

from collections.abc import Sequence

from graft.charts.numbers import ABSENT, difference, estimate, number, p_value, signed, size, spoken
from graft.charts.table import Table
from graft.common.vocabulary import TESTS
from graft.evidence.evidence import Block, Evidence, score_of

ABLATION = ("both", "image_only", "covariates_only")
ABLATION_GAINS = {
    "gain_of_image": "gain from the image",
    "gain_of_covariates": "gain from the covariates",
}
SCORES = {"auroc": "AUROC", "concordance": "concordance", "r_squared": "R²"}
NON_INFERIOR = {True: "yes", False: "not shown", None: ABSENT}


def models(evidence: Evidence) -> Table:
    """AUROC of every model and baseline on each part."""
    counts = evidence.metrics["target"]["counts"]
    head = ["model"]
    for part in evidence.parts:
        head.append(f"{part} ({size(counts[part])})")
    rows = []
    for name, model in evidence.models.items():
        rows.append([spoken(name), *_aurocs(model, evidence.parts)])
    return Table(f"AUROC with {evidence.level} intervals over {evidence.unit}s", head, rows)


def gains(evidence: Evidence, part: str) -> Table:
    """Each model against scratch: gain, p values, DeLong's interval and non-inferiority."""
    rows = []
    for name, parts in evidence.metrics["transfer_gain"].items():
        gain = parts[part] or {}
        delong = gain.get("delong") or {}
        needed = gain.get("patients_needed")
        row = [
            spoken(name),
            difference(gain),
            p_value(gain.get("p")),
            p_value(gain.get("p_holm")),
            _bounds(delong),
            p_value(delong.get("p")),
            NON_INFERIOR[gain.get("non_inferior")],
            number(needed) if needed else "–",
        ]
        rows.append(row)
    head = [
        "model",
        f"gain [{evidence.level}]",
        "p",
        "p, Holm",
        "interval, DeLong",
        "p, DeLong",
        "not inferior",
        f"{evidence.unit}s needed",
    ]
    return Table(f"Gain in AUROC over training from scratch, {part}", head, rows, wide=True)


def ensembles(evidence: Evidence) -> Table:
    """Each ensemble against the single networks that it is compared with."""
    rows = []
    for name, found in evidence.block("ensembles").items():
        if not found:
            continue
        row = [f"{spoken(name)} of {found['members']}", found["over"]]
        for part in evidence.parts:
            scores = found[part] or {}
            row += [estimate(scores.get("auroc")), difference(scores.get("gain"))]
        rows.append(row)
    head = ["ensemble", "compared with"]
    for part in evidence.parts:
        head += [f"AUROC, {part}", "gain"]
    return Table("What averaging networks gained in AUROC", head, rows, wide=True)


def ablation(evidence: Evidence) -> Table | None:
    """AUROC with the image, with the covariates and with both."""
    block = evidence.block("ablation")
    if not block:
        return None
    rows = []
    for name in ABLATION:
        rows.append([spoken(name), *_aurocs(block[name], evidence.parts)])
    for name, label in ABLATION_GAINS.items():
        rows.append([label, *(difference(block[name][part]) for part in evidence.parts)])
    caption = f"AUROC of {evidence.chosen} by the input that it is given"
    return Table(caption, ["input", *evidence.parts], rows)


def source_domain(evidence: Evidence) -> Table:
    """How well the pretrained network classifies the source domain itself."""
    source = evidence.metrics["source"]
    pretrained = source["pretrained"]
    gain = source["gain_over_size"]
    rows = []
    for part in TESTS:
        if not source["counts"][part]:
            continue
        trained = pretrained and pretrained[part]
        row = [
            part,
            estimate(score_of(trained)) if trained else "not trained here",
            estimate(score_of(source["size_alone"][part])),
            difference(gain[part] if gain else None),
        ]
        rows.append(row)
    head = ["part", "pretrained", "size alone", "gain over size"]
    return Table(f"{source['name']}, the source domain: AUROC on its own test parts", head, rows)


def tasks(evidence: Evidence) -> Table | None:
    """Each task of the source's network, trained on all tasks and on this one alone."""
    block = evidence.block("tasks")
    if not block:
        return None
    rows = []
    for found in block["rows"]:
        for part in TESTS:
            entry = found[part]
            if entry:
                row = [
                    found["name"],
                    f"{part} ({size(entry)})",
                    SCORES[found["score"]],
                    estimate(entry["together"]),
                    estimate(entry["alone"]) if entry["alone"] else "not trained",
                    difference(entry["gain"]) if entry["gain"] else "–",
                ]
                rows.append(row)
    head = ["task", "part", "score", "all tasks", "alone", "gain from the others"]
    return Table("Tasks of the source domain, on its own test parts", head, rows, wide=True)


def ranking(block: Block) -> Table:
    """The sources, highest LogME first, with their distance and the AUROC that they led to."""
    outcomes = {}
    for found in block["came_true"]["outcomes"]:
        outcomes[found["source"]] = number(found["auroc"])
    distances = {found["source"]: found for found in block["distances"]}
    rows = []
    for found in block["ranking"]:
        distance = distances.get(found["source"], {})
        row = [
            found["source"],
            number(distance["lesions"]) if distance else "–",
            number(distance["frechet"], 2) if distance else "–",
            number(found["logme"]),
            outcomes.get(found["source"], "not tried"),
        ]
        rows.append(row)
    head = ["source", "lesions", "Fréchet distance", "LogME", "resulting AUROC"]
    caption = f"Sources for {block['target']}, ranked by LogME before any training on it"
    return Table(caption, head, rows)


def _aurocs(model: Block, parts: Sequence[str]) -> list[str]:
    return [estimate(score_of(model[part])) for part in parts]


def _bounds(found: Block) -> str:
    if found.get("low") is None or found.get("high") is None:
        return ABSENT
    return f"{signed(found['low'])} to {signed(found['high'])}"
