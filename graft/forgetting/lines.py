"""A plan and what is left after it as lines of text, without a name of the patient."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from graft.common.shown import counted
from graft.forgetting.models import FoundModel
from graft.forgetting.older import Older
from graft.forgetting.plan import Plan
from graft.forgetting.project import Project
from graft.forgetting.raw import RawTrace
from graft.forgetting.traces import Trace

SHOWN = 20  # files in a list


def plan_lines(
    plan: Plan, project: Project, classes: Mapping[str, Sequence[str]], delete_models: bool
) -> Iterator[str]:
    """What is found, and what will become of it."""
    known = ", ".join(plan.pseudonyms) or "none"
    yield f"The patient (pseudonym {known}) is in {', '.join(plan.domains)}."
    if plan.raw or plan.outside:
        yield "Raw data:"
    for trace in plan.raw:
        yield from _raw_lines(trace, project, classes[trace.domain])
    for trace in plan.outside:
        files = counted(len(trace.files), "file")
        yield (
            f"  {trace.domain}: NOT touched, because {trace.root} is outside of the project: "
            f"{trace.where}, {files}. Remove them there, or `dvc repro` reads the patient again."
        )
    existing = [path for path in plan.outputs if os.path.lexists(path)]
    if existing:
        yield "Outputs and caches to delete, which `dvc repro` makes again without the patient:"
        yield from _listed(project.root, existing)
    if plan.models:
        yield "Models:"
    for model in sorted(plan.models, key=lambda model: model.folder):
        yield _model_line(project.root, model, delete_models)


def _raw_lines(trace: RawTrace, project: Project, classes: Sequence[str]) -> Iterator[str]:
    files = f", and {counted(len(trace.files), 'file')} of this patient alone"
    yield f"  {trace.domain}: {trace.where}{files if trace.files else ''} in {trace.root}"
    writer = project.writer_of(trace.root)
    if writer is not None and writer.is_stage:
        yield (
            f"    The stage {writer.name} writes this folder, so `dvc repro` brings the patient "
            "back. Copy the folder, and let domains.{0}.path name the copy.".format(trace.domain)
        )
    elif writer is not None:
        yield f"    Afterwards run `dvc add {trace.root}`: {writer.name} names the data of before."
    for label in trace.emptied(classes):
        yield (
            f"    No other patient of {trace.domain} has the class {label}: `dvc repro` will "
            "refuse the domain."
        )


def _model_line(root: Path, model: FoundModel, delete_models: bool) -> str:
    place = model.folder.relative_to(root)
    if not model.is_sure:
        return f"  {place} {model.how}: retrain or withdraw it, unless you know better"
    if delete_models:
        return f"  {place} {model.how}: will be deleted"
    return f"  {place} {model.how}: retrain it, withdraw its copies (--models deletes the folder)"


def left_lines(root: Path, traces: Sequence[Trace]) -> Iterator[str]:
    """Where the working tree still has something of the patient."""
    for trace in traces[:SHOWN]:
        place = trace.file.parent if trace.in_name else trace.file
        shown = place.relative_to(root).as_posix()
        a_file = f"{shown}: a file that cannot be named here" if trace.in_name else shown
        yield f"  {a_file}{trace.place}: has {trace.what}"
    if len(traces) > SHOWN:
        yield f"  and {counted(len(traces) - SHOWN, 'more file')}"


def older_lines(older: Older, raw: Sequence[RawTrace]) -> Iterator[str]:
    """What older versions hold, and the commands that purge it, in their order."""
    yield "Older versions, which graft does not change:"
    if older.cache is not None:
        held = f"{counted(older.objects, 'file')} with {older.size / 1e6:.1f} MB"
        found = f"has the patient in {held}" if older.objects else "has no trace of the patient"
        shared = " (other projects may use it)" if older.is_shared else ""
        yield f"  DVC's cache {older.cache}{shared} {found}."
    yield f"  DVC has {counted(older.experiments, 'experiment')}, each a version of its own."
    for name in older.remotes:
        yield f"  The remote {name} has what was pushed to it. graft does not look there."
    found = "has the patient" if older.in_history else "has no trace of the patient"
    yield f"  The history of git {found}."
    yield "To purge them, in this order:"
    for command, why in _commands(older, raw):
        yield f"  {command:<44} # {why}"


def _commands(older: Older, raw: Sequence[RawTrace]) -> Iterator[tuple[str, str]]:
    for trace in raw:
        yield f"dvc add {trace.root}", "only if `dvc add` tracks it"
    yield "dvc repro", "until then dvc.lock names the data of before, and the cache keeps it"
    yield "git add --update && git commit", "dvc.lock"
    if older.experiments:
        yield "dvc exp remove --all-commits", "deletes all experiments"
        yield "dvc exp remove --queue", "deletes those that wait"
    yield "dvc gc --workspace --force", "deletes EVERY version of any data but the present one"
    for name in older.remotes:
        yield f"dvc gc --workspace --cloud --remote {name}", "the same for everyone who pulls there"
    if older.in_history:
        yield "git filter-repo --replace-text FILE", "a file with the name; it changes all commits"


def _listed(root: Path, paths: Iterable[Path]) -> Iterator[str]:
    for path in paths:
        yield f"  {path.relative_to(root) if path.is_relative_to(root) else path}"
