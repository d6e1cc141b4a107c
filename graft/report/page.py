"""The page: which section shows what, and the templates that set it."""

from dataclasses import dataclass
from pathlib import Path

import jinja2

from graft.report import curves, explained, figures, numbers, origin, quality, results, words
from graft.report.charts import sample
from graft.report.evidence import Evidence

TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True)
class Section:
    """A part of the page; its template is `<name>.html.j2`."""

    name: str
    title: str


SECTIONS = (
    Section("models", "All models"),
    Section("labels", "By number of labels"),
    Section("source", "The source"),
    Section("curves", "Curves and calibration"),
    Section("calls", "Operating points and errors"),
    Section("groups", "Subgroups and robustness"),
    Section("looked", "Where it looked"),
    Section("data", "Data and split"),
    Section("checks", "Checks"),
    Section("card", "Model card"),
    Section("params", "Parameters"),
    Section("hashes", "Hashes"),
)


def render(evidence: Evidence) -> str:
    """The whole page as HTML that needs no network and no script; the same bytes for the same evidence."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,  # names of classes, sites and columns are whatever the data says
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"spoken": numbers.spoken, "number": numbers.number}
    environment.globals |= {"sample": sample, "curves": curves, "figures": figures}
    page = environment.get_template("page.html.j2")
    return page.render(
        sections=SECTIONS,
        evidence=evidence,
        metrics=evidence.metrics,
        words=words,
        results=results,
        quality=quality,
        origin=origin,
        explained=explained,
        voices=list(words.other_voices(evidence)),
    )
