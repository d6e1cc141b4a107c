"""What a person reads when evaluate has run, made from metrics.json alone."""

from collections.abc import Iterator

SUSPICIOUS_AUROC = (
    0.9  # of covariates alone: above it they may have been written down after the diagnosis
)
WIDTHS = (15, 21, 21, 25, 6)
SENTENCES = {
    "helps": "Transfer helps",
    "harms": "Transfer harms",
    "no difference shown": "No difference shown between transfer and learning from scratch",
    "not defined": "Whether transfer helps cannot be said: the test part lacks a class",
}


def lines(metrics: dict) -> Iterator[str]:
    """A table of models and baselines, the source's own scores, and one sentence on transfer."""
    target, source = metrics["target"], metrics["source"]
    level = f"{metrics['bootstrap']['confidence'] * 100:g} %"
    yield f"{target['name']}: AUROC with {level} intervals, patients drawn {metrics['bootstrap']['resamples']} times"
    yield _row(
        "", _heading(target, "test"), _heading(target, "external"), "gain over scratch, test", "p"
    )
    for name, model in metrics["models"].items():
        yield _row(name, *_aurocs(model), *_gain(metrics["transfer_gain"].get(name)))
    for name, baseline in metrics["baselines"].items():
        if baseline:
            yield _row(name.replace("_", " "), *_aurocs(baseline), "", "")
    yield from _ablation(metrics)
    if source["pretrained"]:
        yield f"{source['name']}, which was learnt first:"
        yield _row(
            "", _heading(source, "test"), _heading(source, "external"), "gain over size, test", "p"
        )
        yield _row("pretrained", *_aurocs(source["pretrained"]), *_gain(source["gain_over_size"]))
    else:
        yield f"{source['name']}, which was not learnt: the pretrained weights come from elsewhere"
        yield _row("", _heading(source, "test"), _heading(source, "external"), "", "")
    yield _row("size alone", *_aurocs(source["size_alone"]), "", "")
    yield f"best by {metrics['chosen']['by']}: {metrics['chosen']['model']}"
    yield from _flagged(metrics["subgroups"])
    yield from _tests(metrics)
    yield _sentence(metrics, level)


def _tests(metrics: dict) -> Iterator[str]:
    """What the other tests say of transfer on the test part, and what the part is too small to say."""
    found = metrics["transfer_gain"]["transfer"]["test"]
    if found["p"] is None:
        return
    told = [f"p = {found['p_holm']:.4f} corrected for {len(metrics['transfer_gain'])} models"]
    if found["delong"]["p"] is not None:
        told.append(f"p = {found['delong']['p']:.4f} by DeLong's test")
    yield f"transfer over scratch: {', '.join(told)}"
    if metrics["verdict"] == "no difference shown":
        not_worse = "is no worse" if found["non_inferior"] else "may be worse"
        yield f"transfer {not_worse} than scratch by {metrics['margin']:g} or more"
    if found["patients_needed"]:
        yield (
            f"some {found['patients_needed']} test patients would tell a gain of this size from 0; there are "
            f"{metrics['target']['counts']['test']['patients']}"
        )


def _ablation(metrics: dict) -> Iterator[str]:
    """What the covariates add, and whether they say too much, where the target has any."""
    found = metrics["ablation"]
    if not found:
        return
    yield f"{metrics['chosen']['model']} with the image, the covariates and both:"
    for name in ("image_only", "covariates_only", "both"):
        yield _row(name.replace("_", " "), *_aurocs(found[name]), "", "")
    yield _row("image adds", *_gains(found["gain_of_image"]), "", "")
    yield _row("covariates add", *_gains(found["gain_of_covariates"]), "", "")
    for part, scores in found["covariates_only"].items():
        if scores and (scores["auroc"]["value"] or 0) > SUSPICIOUS_AUROC:
            yield (
                f"The covariates alone score AUROC {scores['auroc']['value']:.3f} on the {part} part: one of them says "
                "nearly all by itself. Is it known before the diagnosis?"
            )


def _flagged(subgroups: dict) -> Iterator[str]:
    """The groups of patients on whom the chosen model does other than on the rest."""
    for row in (row for row in subgroups["rows"] if row["flagged"]):
        yield (
            f"{subgroups['model']} on {row['by']} {row['group']} ({row['part']}, {row['lesions']} of {row['patients']}): AUROC "
            f"differs from all others by {_interval(row['gap'], '+')}, p = {row['gap']['p_holm']:.4f} after Holm"
        )


def _sentence(metrics: dict, level: str) -> str:
    found, said = metrics["verdict_from"], SENTENCES[metrics["verdict"]]
    if metrics["verdict"] == "not defined":
        return f"{said}."
    mean = f", as a mean of {found['trainings']} trainings," if found["trainings"] > 1 else ""
    differs = f"its AUROC on the test part{mean} differs by {_interval(found, '+')} ({level}), p = {found['p']:.4f}"
    return f"{said}: {differs}."


def _heading(domain: dict, part: str) -> str:
    count = domain["counts"][part]
    return f"{part} ({count['lesions']} of {count['patients']})" if count else part


def _aurocs(model: dict) -> tuple[str, str]:
    return tuple(
        _interval(model[part]["auroc"] if model[part] else None, "")
        for part in ("test", "external")
    )


def _gains(parts: dict) -> tuple[str, str]:
    return tuple(_interval(parts[part], "+") for part in ("test", "external"))


def _gain(parts: dict | None) -> tuple[str, str]:
    found = parts and parts["test"]
    return _interval(found, "+"), _number(found["p"], "") if found else ""


def _interval(estimate: dict | None, sign: str) -> str:
    if estimate is None:
        return "–"
    value, low, high = (_number(estimate[name], sign) for name in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def _number(value: float | None, sign: str) -> str:
    return "–" if value is None else f"{value:{sign}.3f}"


def _row(*cells: str) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True)).rstrip()
