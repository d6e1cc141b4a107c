"""Forgets a patient: shows a plan, carries it out if that is wanted, and searches for the rest."""

from contextlib import nullcontext
from pathlib import Path

from graft.common.parameters import read_parameters
from graft.console import countdown, say
from graft.forgetting.lines import left_lines, older_lines, plan_lines
from graft.forgetting.older import find_older
from graft.forgetting.plan import Layout, Parameters, Plan, carry_out, make_plan
from graft.forgetting.project import Project, open_project
from graft.forgetting.traces import Trace, TraceSearch, list_tree
from graft.forgetting.wanted import make_wanted


def forget(
    root: Path, text: str, parameters: Path, layout: Layout, do: bool, delete_models: bool
) -> bool:
    """Show what a project has of a patient, and remove it if `do`.

    Args:
        root: the folder of the project, which must be the current one.
        text: the name or number of the patient in the raw data, or a pseudonym.
        parameters: the file of the parameters.
        layout: where the project keeps its outputs and caches.
        do: whether to remove the patient. Otherwise nothing is changed.
        delete_models: whether models that come from the patient's data are deleted too.

    Returns:
        Whether nothing is left in the working tree, or nothing was to be done.

    Raises:
        InputError: if no domain has the patient, a stage is running, or raw data cannot be read.
    """
    found = read_parameters(Parameters, parameters)
    wanted = make_wanted(text, found.privacy, layout.processed)
    with open_project(root) as project, project.alone() if do else nullcontext():
        plan = make_plan(project, found, wanted, layout)
        classes = {name: domain.classes for name, domain in found.domains.items()}
        for line in plan_lines(plan, project, classes, delete_models):
            say(line)
        search = TraceSearch(plan.needles)
        if not do:
            for line in older_lines(find_older(project, search), plan.raw):
                say(line)
            say("Nothing was changed. With --yes, graft does it.")
            return True
        carry_out(plan, project, delete_models)
        return _report_rest(project, plan, search)


def _report_rest(project: Project, plan: Plan, search: TraceSearch) -> bool:
    """Search the working tree and older versions, and say what has the patient."""
    traces = _search_tree(project, search)
    for line in older_lines(find_older(project, search), plan.raw):
        say(line)
    if traces:
        say("The working tree still has the patient in files that graft does not know:")
        for line in left_lines(project.root, traces):
            say(line)
        return False
    say("The working tree has no trace of the patient.")
    return True


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
