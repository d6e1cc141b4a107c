"""What it takes to forget a patient: found first, shown, and carried out if the user agrees."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from graft.common.files import InputError
from graft.common.links import follow_links
from graft.common.parameters import Section
from graft.forgetting.models import FoundModel, find_models
from graft.forgetting.patient_rows import PatientRows
from graft.forgetting.project import Project
from graft.forgetting.raw import RawTrace
from graft.forgetting.raw_forms import ForgetDomain, find_raw
from graft.forgetting.traces import IMAGES, Needles, Trace, list_tree
from graft.forgetting.wanted import Wanted
from graft.keys.settings import PseudonymKey
from graft.networks.card import CARD, NO_MODEL
from graft.networks.out_of_fold import FILE as OUT_OF_FOLD


class Parameters(Section):
    """What is read of params.yaml."""

    domains: dict[str, ForgetDomain]
    privacy: PseudonymKey


@dataclass(frozen=True)
class Layout:
    """Where a project keeps what its stages share.

    Attributes:
        processed: the folder of the processed domains.
        splits: the folder of the tables of their parts.
        without_labels: the list of the images that a network may learn from without labels.
        caches: files and folders that no stage has as an output; `{domain}` stands for its name.
    """

    processed: Path
    splits: Path
    without_labels: Path
    caches: Sequence[str]


@dataclass(frozen=True)
class Plan:
    """What will be done.

    Attributes:
        names: of the patient in the raw data. They must not be printed.
        pseudonyms: of the patient in the processed domains.
        raw: what the raw data of each domain has.
        outside: the domains of these whose raw data is outside of the project: it stays.
        domains: that have the patient, raw or processed.
        models: those that come from the patient's data, or perhaps, children first.
        outputs: of stages, and caches: they will be deleted.
        needles: what the final search looks for.
        of_others: files of other patients, as the raw data says, and the tables that change. Bytes
            of the patient's images that they have too are nobody's: a licence, a logo.
        kept: files and folders in which graft deletes nothing that it does not know: those that git
            tracks, DVC's cache, and all raw data.
    """

    names: frozenset[str]
    pseudonyms: Sequence[str]
    raw: Sequence[RawTrace]
    outside: Sequence[RawTrace]
    domains: Sequence[str]
    models: Sequence[FoundModel]
    outputs: Sequence[Path]
    needles: Needles
    of_others: frozenset[Path]
    kept: frozenset[Path]

    def tells(self, trace: Trace) -> bool:
        """Whether a trace tells of the patient, and not of a model or of everybody."""
        is_common = trace.what == IMAGES and trace.file in self.of_others
        return not (trace.of_model or is_common)

    def is_kept(self, file: Path) -> bool:
        """Whether a file must not be deleted, whatever is in it."""
        return not self.kept.isdisjoint((file, *file.parents))


def make_plan(project: Project, parameters: Parameters, wanted: Wanted, layout: Layout) -> Plan:
    """Find a patient everywhere in a project. Nothing is changed.

    Raises:
        InputError: if no domain has the patient, or raw data cannot be read.
    """
    rows = _processed_rows(layout, wanted)
    found = [
        trace
        for name, domain in parameters.domains.items()
        if (trace := find_raw(name, domain, wanted, rows.get(name)))
    ]
    having = {name: one for name, one in rows.items() if len(one.rows)}
    domains = sorted({trace.domain for trace in found} | having.keys())
    if not domains:
        raise InputError(
            f"the patient: is in none of the domains {', '.join(parameters.domains)}, neither by "
            "name nor by pseudonym; expected one that is, as the raw data writes it"
        )
    judged = {name: rows.get(name) or _patient_rows(layout, name, wanted) for name in domains}
    outside = [trace for trace in found if not trace.root_is_inside(project.root)]
    paths = [Path(parameters.domains[name].path) for name in domains if name in parameters.domains]
    cards = [file for file in list_tree(project.root) if file.name == CARD]
    names = frozenset(name for trace in found for name in trace.names) or frozenset({wanted.text})
    return Plan(
        names=names,
        pseudonyms=sorted({name for one in having.values() for name in one.pseudonyms}),
        raw=[trace for trace in found if trace not in outside],
        outside=outside,
        domains=domains,
        models=[model for model in find_models(cards, judged) if model.how],
        outputs=list(dict.fromkeys(_outputs(project, paths, domains, layout))),
        needles=_needles(names, wanted, found, having.values()),
        of_others=frozenset(file for trace in found for file in trace.of_others),
        kept=frozenset(
            {follow_links(Path(domain.path)) for domain in parameters.domains.values()}
            | project.tracked()
            | ({follow_links(project.cache)} if project.cache else set())
        ),
    )


def _processed_rows(layout: Layout, wanted: Wanted) -> dict[str, PatientRows]:
    """The rows of the patient in each processed domain that is there."""
    names = [table.parent.name for table in sorted(layout.processed.glob("[!.]*/index.csv"))]
    return {name: _patient_rows(layout, name, wanted) for name in names}


def _patient_rows(layout: Layout, name: str, wanted: Wanted) -> PatientRows:
    split = layout.splits / f"{name}.csv"
    return PatientRows(layout.processed / name, split, layout.without_labels, wanted)


def _outputs(
    project: Project, raw: Iterable[Path], domains: Iterable[str], layout: Layout
) -> Iterator[Path]:
    """The outputs of stages that depend on the raw data, and caches. Models stay.

    The processed domains come last, because they say whom a model was trained on.
    """
    last = [follow_links(project.root / layout.processed / name) for name in domains]
    for path in project.outputs_after(raw):
        if (path / CARD).exists() or (path / NO_MODEL).exists():
            yield from sorted(path.rglob(OUT_OF_FOLD))
        elif path not in last:
            yield path
    for name in domains:
        yield follow_links(project.root / layout.splits / f"{name}.csv")
        yield from (project.root / cache.format(domain=name) for cache in layout.caches)
    yield from last


def _needles(
    names: Iterable[str], wanted: Wanted, found: Iterable[RawTrace], rows: Iterable[PatientRows]
) -> Needles:
    needles = text_needles(names, wanted)
    for trace in found:
        for text, what in trace.texts:
            needles.add_text(text, what)
        for file in filter(Path.is_file, trace.files):
            needles.add_file(file)
        for content in trace.bytes_of_rows:
            needles.add_image(content)
    for one in rows:
        for content in one.patches():
            needles.add_image(content)
    return needles


def text_needles(names: Iterable[str], wanted: Wanted) -> Needles:
    """Names of a patient, and their pseudonyms under each key."""
    needles = Needles()
    for name in names:
        needles.add_text(name, "the name of the patient")
        for pseudonym in wanted.pseudonyms(name):
            needles.add_text(pseudonym, "a pseudonym of the patient")
    return needles
