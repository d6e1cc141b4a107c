"""The page: its sections and the templates that render them."""

from dataclasses import dataclass
from pathlib import Path

import jinja2

from graft.charts import numbers
from graft.charts.svg import line_sample
from graft.evidence.evidence import Evidence
from graft.report import (
    attacks,
    card,
    comparisons,
    curves,
    errors,
    explained,
    figures,
    known,
    labels,
    origin,
    quality,
    results,
    sets,
    words,
)
from graft.statistics.sentences import below_size_alone, labels_used

TEMPLATES = Path(__file__).with_name("templates")
MODULES = {
    "attacks": attacks,
    "card": card,
    "comparisons": comparisons,
    "curves": curves,
    "errors": errors,
    "explained": explained,
    "figures": figures,
    "known": known,
    "labels": labels,
    "origin": origin,
    "quality": quality,
    "results": results,
    "sets": sets,
    "words": words,
}  # that the templates call


@dataclass(frozen=True)
class PageSection:
    """A section of the page; its template is `<name>.html.j2`."""

    name: str
    title: str


SECTIONS = (
    PageSection("models", "All models"),
    PageSection("labels", "Number of labels"),
    PageSection("source", "Source domain"),
    PageSection("curves", "Curves and calibration"),
    PageSection("calls", "Operating points and errors"),
    PageSection("sets", "Coverage and refusals"),
    PageSection("groups", "Subgroups and robustness"),
    PageSection("known", "Known lesions of a patient"),
    PageSection("looked", "Where the model looked"),
    PageSection("attacks", "Membership inference"),
    PageSection("data", "Data and split"),
    PageSection("checks", "Checks"),
    PageSection("card", "Model card"),
    PageSection("params", "Parameters"),
    PageSection("hashes", "Hashes"),
)


def make_environment(*folders: Path) -> jinja2.Environment:
    """The environment of a page that has the style sheet and the macros of the report.

    Args:
        folders: of further templates.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([*folders, TEMPLATES]),
        autoescape=True,  # the data chooses the names of classes, sites and columns
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["spoken"] = numbers.spoken
    environment.filters["number"] = numbers.number
    environment.filters["percent"] = numbers.percent
    environment.globals["line_sample"] = line_sample
    return environment


def render_page(evidence: Evidence) -> str:
    """Render the page as HTML that needs neither a network nor scripts.

    The same evidence gives the same bytes.
    """
    environment = make_environment()
    environment.globals["labels_used"] = labels_used(evidence.metrics)
    environment.globals["warning"] = below_size_alone(evidence.metrics, numbers.difference)
    environment.globals.update(MODULES)
    page = environment.get_template("page.html.j2")
    return page.render(
        sections=SECTIONS,
        evidence=evidence,
        metrics=evidence.metrics,
        further=list(comparisons.other_comparisons(evidence)),
    )
