"""A plan as lines of text, without the name of the patient."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from graft.common.shown import counted
from graft.forgetting.models import FoundModel
from graft.forgetting.plan import Plan
from graft.forgetting.project import Project
from graft.forgetting.raw import RawTrace, leads_away
from graft.forgetting.traces import Trace

SHOWN = 20  # files in a list


def plan_lines(
    plan: Plan, project: Project, classes: Mapping[str, Sequence[str]], delete_models: bool
) -> Iterator[str]:
    """What is found, and what will become of it."""
    known = f" ({', '.join(plan.pseudonyms)})" if plan.pseudonyms else ""
    yield f"The patient{known} is in {', '.join(plan.domains)}."
    if plan.raw or plan.outside:
        yield "Raw data to remove:"
    for trace in plan.raw:
        yield from _raw_lines(trace, project, classes[trace.domain])
    for trace in plan.outside:
        files = f" and {counted(len(trace.files), 'file')}" if trace.files else ""
        yield (
            f"  {trace.domain}: NOT {trace.where}{files} in {trace.root}, which is outside this "
            "project: remove them there, or `dvc repro` reads the patient again"
        )
    existing = [path for path in plan.outputs if os.path.lexists(path)]
    if existing:
        yield "Outputs and caches to delete, which `dvc repro` makes again without the patient:"
    for path in existing:
        yield f"  {path.relative_to(project.root) if path.is_relative_to(project.root) else path}"
    if plan.models:
        yield "Models:"
    for model in sorted(plan.models, key=lambda model: model.folder):
        yield f"  {model.folder.relative_to(project.root)} {_model_words(model, delete_models)}"


def _raw_lines(trace: RawTrace, project: Project, classes: Sequence[str]) -> Iterator[str]:
    files = f" and {counted(len(trace.files), 'file')} that nobody else uses" if trace.files else ""
    yield f"  {trace.domain}: {trace.where}{files} in {trace.root}"
    writer = project.writer_of(trace.root)
    if writer is not None and writer.is_stage:
        yield (
            f"    The stage {writer.name} writes this folder, so `dvc repro` brings the patient "
            f"back. Let domains.{trace.domain}.path name a copy of it."
        )
    if away := sum(leads_away(file, trace.root) for file in trace.files):
        yield f"    {counted(away, 'file')} outside of there, which links lead to: NOT removed."
    for label in trace.emptied(classes):
        yield (
            f"    Nobody else there has the class {label}: the next `dvc repro` will refuse "
            f"the domain {trace.domain}."
        )


def _model_words(model: FoundModel, delete_models: bool) -> str:
    if not model.is_sure:
        return f"{model.how}: retrain it or withdraw it unless you know that it was not"
    if delete_models:
        return f"{model.how}: will be deleted"
    return f"{model.how}: retrain it or withdraw it (--models deletes it)"


def copy_lines(models: Sequence[FoundModel], traces: Sequence[Trace]) -> Iterator[str]:
    """The files that name a model from the patient's data, as its exports and answers do."""
    folders = {model.folder for model in models}
    naming = []
    for trace in traces:
        if trace.of_model and folders.isdisjoint(trace.file.parents):
            naming.append(trace)
    if naming:
        yield "Files that name these models, as exports and answers do; withdraw them too:"
    yield from trace_lines(naming)


def trace_lines(traces: Sequence[Trace]) -> Iterator[str]:
    """The first thing that was found in each file."""
    first: dict[Path, Trace] = {}
    for trace in traces:
        first.setdefault(trace.file, trace)
    for trace in list(first.values())[:SHOWN]:
        yield f"  {trace.place}: has {trace.what}"
    if len(first) > SHOWN:
        yield f"  and {counted(len(first) - SHOWN, 'more file')}"
