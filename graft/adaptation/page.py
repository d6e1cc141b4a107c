"""The report of an adaptation as Markdown, and as lines to print."""

from collections.abc import Iterator, Mapping
from typing import Any

from graft.common.files import DIGITS
from graft.common.shown import counted

RESEARCH_ONLY = "For research only, not for diagnosis."
SCORES = {
    "log_loss": "log loss",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "coverage": "coverage of the sets",
}

Block = Mapping[str, Any]


def report_lines(document: Block) -> Iterator[str]:
    """The result in a few lines: the site, the prior, the gain by labels, the conclusion."""
    site = document["site"]
    lesions = counted(site["lesions"], "lesion")
    yield (
        f"site: {lesions} of {counted(site['patients'], 'patient')}, {site['labelled']} labelled, "
        f"{site['refused']} unlike the training"
    )
    prior = document["prior"]
    if prior:
        yield (
            f"share of {document['classes'][-1]}: {prior['old']:.3f} before, at the site "
            f"{prior['new']:.3f} ({prior['low']:.3f} to {prior['high']:.3f}), cautiously"
        )
    for entry in document["curve"]:
        gained = interval(entry["gain"], "+.3f")
        before, after = entry["before"], entry["after"]
        values = [
            f"{name} {value(before[key])} → {value(after[key])}" for key, name in SCORES.items()
        ]
        labels = counted(entry["labels"], "label")
        yield f"{labels}: gain {gained} by {methods_of(entry)}; {', '.join(values)}"
    yield document["sentence"]


def page_text(document: Block) -> str:
    """The report as Markdown, with nothing that names a patient or a folder."""
    lines = ["# Adapted to a site", "", f"**{document['sentence']}** {RESEARCH_ONLY}", ""]
    lines += _about(document)
    lines += _methods(document)
    lines += _curve(document)
    return "\n".join(lines) + "\n"


def interval(found: Block, form: str = ".3f") -> str:
    """A value with its interval."""
    if found["value"] is None:
        return "not defined"
    if found["low"] is None:
        return f"{found['value']:{form}}"
    return f"{found['value']:{form}} ({found['low']:{form}} to {found['high']:{form}})"


def value(found: Block) -> str:
    """A value without its interval."""
    return "–" if found["value"] is None else f"{found['value']:.3f}"


def methods_of(entry: Block) -> str:
    """The methods that were scored, with the number of folds that chose each."""
    return ", ".join(f"{name} {folds}" for name, folds in entry["methods"].items())


def _about(document: Block) -> list[str]:
    site, fitted = document["site"], document["fitted"]
    classes = ", ".join(f"{count} {name}" for name, count in site["by_class"].items())
    rows = {
        "parent model": f"`{document['parent'][:DIGITS]}`",
        "lesions": f"{site['lesions']} of {counted(site['patients'], 'patient')}",
        "labelled": f"{site['labelled']} of {counted(site['labelled_patients'], 'patient')}"
        + (f": {classes}" if site["labelled"] else ""),
        "unlike the training": str(site["refused"]),
        "not readable": str(site["failures"]),
    }
    prior = document["prior"]
    if prior:
        disease = document["classes"][-1]
        rows[f"share of {disease}, of the model"] = f"{prior['old']:.3f}"
        rows[f"share of {disease}, at the site"] = (
            f"{prior['new']:.3f} ({prior['low']:.3f} to {prior['high']:.3f}), cautiously: pulled "
            "towards that of the model"
        )
    rows["method"] = fitted["method"]
    rows["temperature"] = f"{fitted['temperature']:g}"
    rows["bias"] = ", ".join(f"{name} {number:+g}" for name, number in fitted["bias"].items())
    if fitted["intensity"]:
        scale, shift = fitted["intensity"]["scale"], fitted["intensity"]["shift"]
        rows["intensities"] = f"multiplied by {scale:g}, then {shift:+g}"
    return ["| | |", "| --- | --- |", *(f"| {name} | {text} |" for name, text in rows.items()), ""]


def _methods(document: Block) -> list[str]:
    if not document["methods"]:
        return []
    lines = [
        "## Methods",
        "",
        "Each on all labelled lesions, fitted to other patients. The first row is what the images "
        "alone would choose. The chosen method is the first that is not worse than the best one by "
        "more than one standard error.",
        "",
        "| method | log loss | gain | standard error |",
        "| --- | --- | --- | --- |",
    ]
    for row in document["methods"]:
        name = f"**{row['name']}**" if row["name"] == document["chosen"] else row["name"]
        numbers = f"{row['log_loss']:.3f} | {row['gain']:+.3f} | {row['standard_error']:.3f}"
        lines.append(f"| {name} | {numbers} |")
    return [*lines, ""]


def _curve(document: Block) -> list[str]:
    if not document["curve"]:
        return []
    level = f"{document['confidence']:.0%}"
    lines = [
        "## By the number of labels",
        "",
        "Method, thresholds and quantiles come from other patients than those that are scored. "
        f"Intervals ({level}) are over patients. Each fold chooses its method, which may be "
        "another than that of the new model: beside a method is the number of its folds.",
        "",
        f"| labels | methods | gain in log loss | {' | '.join(SCORES.values())} |",
        f"| --- | --- | --- |{' --- |' * len(SCORES)}",
    ]
    first = document["curve"][0]["before"]
    before = " | ".join(interval(first[key]) for key in SCORES)
    lines.append(f"| not adapted | | | {before} |")
    for entry in document["curve"]:
        after = " | ".join(interval(entry["after"][key]) for key in SCORES)
        gained = interval(entry["gain"], "+.3f")
        lines.append(f"| {entry['labels']} | {methods_of(entry)} | {gained} | {after} |")
    return [*lines, ""]
