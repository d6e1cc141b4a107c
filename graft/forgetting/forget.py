"""Forgets a patient: shows a plan, carries it out if that is wanted, and searches for the rest."""

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from graft.common.parameters import read_parameters
from graft.console import countdown, say
from graft.forgetting.lines import plan_lines, trace_lines
from graft.forgetting.older import find_older, older_lines
from graft.forgetting.plan import (
    Layout,
    Parameters,
    Plan,
    carry_out,
    is_planned,
    make_plan,
    text_needles,
)
from graft.forgetting.project import Project, open_project
from graft.forgetting.traces import Trace, TraceSearch, list_tree
from graft.forgetting.wanted import make_wanted


@dataclass(frozen=True)
class Wish:
    """What a user wants.

    Attributes:
        do: remove the patient. Otherwise nothing is changed.
        models: delete models that come from the patient's data too.
        found: delete other files with a trace of the patient too, unless git tracks them.
    """

    do: bool = False
    models: bool = False
    found: bool = False


def forget(root: Path, text: str, parameters: Path, layout: Layout, wish: Wish) -> bool:
    """Show what a project has of a patient, and remove it if that is wanted.

    Args:
        root: the folder of the project, which must be the current one.
        text: the name or number of the patient in the raw data, or a pseudonym.
        parameters: the file of the parameters.
        layout: where the project keeps its outputs and caches.
        wish: what to do.

    Returns:
        Whether nothing is left in the working tree, or nothing was to be done.

    Raises:
        InputError: if no domain has the patient, a stage is running, or raw data cannot be read.
    """
    found = read_parameters(Parameters, parameters)
    wanted = make_wanted(text, found.privacy, layout.processed)
    with open_project(root) as project, project.alone() if wish.do else nullcontext():
        plan = make_plan(project, found, wanted, layout)
        classes = {name: domain.classes for name, domain in found.domains.items()}
        for line in plan_lines(plan, project, classes, wish.models):
            say(line)
        search = TraceSearch(plan.needles)
        also: list[Trace] = []
        if wish.found or not wish.do:
            also = _found_besides(project, plan, search, wish)
        if not wish.do:
            _report_older(project, plan, search)
            say("Nothing was changed. With --yes, graft does it.")
            return True
        tracked = project.tracked() if also else set()
        also_files = [one.file for one in also if one.file not in tracked]
        carry_out(project.root, plan, wish.models, also_files)
        left = _search_tree(project, search)
        _report_older(project, plan, search)
        _report_left(left)
        return not left


def search_only(root: Path, text: str, parameters: Path, layout: Layout) -> bool:
    """Search a project for a name and its pseudonyms, also if no domain has the patient any more.

    Args:
        root: as in `forget`.
        text: as in `forget`.
        parameters: as in `forget`.
        layout: as in `forget`.

    Returns:
        Whether the working tree, DVC's cache and git's history have no trace.
    """
    found = read_parameters(Parameters, parameters)
    wanted = make_wanted(text, found.privacy, layout.processed)
    with open_project(root) as project:
        search = TraceSearch(text_needles([wanted.text], wanted))
        left = _search_tree(project, search)
        older = find_older(project, search, [], [])
        for line in older_lines(older):
            say(line)
        _report_left(left)
        return not (left or older.objects or older.in_history)


def _found_besides(project: Project, plan: Plan, search: TraceSearch, wish: Wish) -> list[Trace]:
    """What the working tree has besides the files of the plan, which is said too."""
    traces = [
        trace
        for trace in _search_tree(project, search)
        if not is_planned(plan, trace.file, wish.models)
    ]
    if traces:
        fate = (
            "to delete unless git tracks them" if wish.found else "to keep (--found deletes them)"
        )
        say(f"Other files that have the patient, {fate}:")
        for line in trace_lines(traces):
            say(line)
    return traces


def _report_older(project: Project, plan: Plan, search: TraceSearch) -> None:
    raw = [trace.root for trace in plan.raw]
    for line in older_lines(find_older(project, search, plan.models, raw)):
        say(line)


def _report_left(traces: list[Trace]) -> None:
    if not traces:
        say("The working tree has no trace of the patient.")
        return
    say("The working tree still has the patient:")
    for line in trace_lines(traces):
        say(line)


def _search_tree(project: Project, search: TraceSearch) -> list[Trace]:
    left_out = [] if project.cache is None else [project.cache]
    files = list(list_tree(project.root, left_out))
    found = []
    with countdown("search", len(files), "file") as show:
        for number, file in enumerate(files):
            trace = search.find(file, file.relative_to(project.root).as_posix())
            if trace is not None:
                found.append(trace)
            show(number)
    return found
