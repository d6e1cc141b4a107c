"""What it takes to forget a patient: found first, shown, and carried out if the user agrees."""

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from graft.common.files import InputError
from graft.common.links import follow_links
from graft.common.parameters import Section
from graft.common.partial import delete_leftovers
from graft.forgetting.models import FoundModel, find_models
from graft.forgetting.patient_rows import PatientRows
from graft.forgetting.project import Project
from graft.forgetting.raw import RawTrace, delete_files
from graft.forgetting.raw_arrays import find_in_arrays
from graft.forgetting.raw_manifest import find_in_manifest
from graft.forgetting.raw_npz import find_in_npz
from graft.forgetting.raw_pictures import find_in_pictures
from graft.forgetting.traces import Needles, list_tree
from graft.forgetting.wanted import Wanted
from graft.ingest.arrays import DATA_FILE, LABELS_FILE
from graft.ingest.medmnist import list_npz_files
from graft.ingest.rows import MANIFEST
from graft.keys.settings import PseudonymKey
from graft.networks.card import CARD, NO_MODEL
from graft.networks.out_of_fold import FILE as OUT_OF_FOLD


class ForgetDomain(Section):
    """What is needed of the parameters of a domain to find a patient in its raw data."""

    path: str
    classes: list[str]
    ignore: str | None
    patient_pattern: str | None


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
        kept: files and folders in which graft deletes nothing that it does not know: those that git
            tracks, and all raw data.
    """

    names: frozenset[str]
    pseudonyms: Sequence[str]
    raw: Sequence[RawTrace]
    outside: Sequence[RawTrace]
    domains: Sequence[str]
    models: Sequence[FoundModel]
    outputs: Sequence[Path]
    needles: Needles
    kept: frozenset[Path]

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
        if (trace := _find_raw(name, domain, wanted, rows.get(name)))
    ]
    having = {name: one for name, one in rows.items() if len(one.rows)}
    domains = sorted({trace.domain for trace in found} | having.keys())
    if not domains:
        raise InputError(
            f"the patient: is in none of the domains {', '.join(parameters.domains)}, neither by "
            "name nor by pseudonym; expected one that is, as the raw data writes it"
        )
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
        models=[model for model in find_models(cards, having) if model.how],
        outputs=list(dict.fromkeys(_outputs(project, paths, domains, layout))),
        needles=_needles(names, wanted, found, having.values()),
        kept=frozenset(
            {follow_links(Path(domain.path)) for domain in parameters.domains.values()}
            | project.tracked()
        ),
    )


def carry_out(root: Path, plan: Plan, delete_models: bool, also: Iterable[Path]) -> None:
    """Delete and rewrite what the plan says, in a project that stays locked meanwhile.

    The raw data comes last: a run that is killed finds the patient again and does the rest.

    Args:
        root: of the project.
        plan: what to do.
        delete_models: whether models that come from the patient's data are deleted.
        also: other files to delete.
    """
    delete_files(also, root)
    if delete_models:
        for model in plan.models:
            if model.is_sure:
                _delete_model(model.folder)
    for path in plan.outputs:
        _delete(path)
    for trace in plan.raw:
        delete_files(trace.files, trace.root)
        trace.rewrite()


def is_planned(plan: Plan, path: Path, delete_models: bool) -> bool:
    """Whether a file will be deleted or rewritten."""
    raw = [file for trace in plan.raw for file in (*trace.files, *trace.tables)]
    models = [model.folder for model in plan.models if model.is_sure and delete_models]
    going = {follow_links(one) for one in (*raw, *models, *plan.outputs)}
    return not going.isdisjoint((path, *path.parents))


def _processed_rows(layout: Layout, wanted: Wanted) -> dict[str, PatientRows]:
    """The rows of the patient in each processed domain that is there."""
    return {
        table.parent.name: PatientRows(
            table.parent,
            layout.splits / f"{table.parent.name}.csv",
            layout.without_labels,
            wanted,
        )
        for table in sorted(layout.processed.glob("[!.]*/index.csv"))
    }


def _find_raw(
    name: str, domain: ForgetDomain, wanted: Wanted, rows: PatientRows | None
) -> RawTrace | None:
    """What the raw data of a domain has of the patient, in the form that it has."""
    root = Path(domain.path)
    index = None if rows is None else rows.index
    if os.path.lexists(root / MANIFEST):
        return find_in_manifest(name, root, wanted)
    if os.path.lexists(root / DATA_FILE) or os.path.lexists(root / LABELS_FILE):
        return find_in_arrays(
            name, root, wanted, domain.classes, 0 if index is None else len(index)
        )
    archives = list_npz_files(root) if root.exists() else []
    if len(archives) == 1:
        return find_in_npz(name, archives[0], wanted, domain.classes, index)
    if root.is_dir():
        return find_in_pictures(name, root, wanted, domain.patient_pattern, domain.ignore)
    return None


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


def _delete_model(folder: Path) -> None:
    """Delete a model folder, its card last: a killed run must recognise what it left."""
    for file in folder.rglob("*"):
        if file.name != CARD and not file.is_dir():
            file.unlink()
    shutil.rmtree(folder)


def _delete(path: Path) -> None:
    """Delete an output and what a killed stage left beside it."""
    delete_leftovers(path)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
