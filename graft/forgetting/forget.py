"""Forgets a patient: shows a plan, carries it out if that is wanted, and searches for the rest."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from graft.common.files import InputError
from graft.common.parameters import read_parameters
from graft.console import countdown, say
from graft.forgetting.lines import copy_lines, plan_lines, trace_lines
from graft.forgetting.older import find_older, older_lines
from graft.forgetting.plan import Layout, Parameters, Plan, make_plan, text_needles
from graft.forgetting.project import Project, open_project
from graft.forgetting.raw import leads_away
from graft.forgetting.removal import carry_out, is_planned
from graft.forgetting.traces import Needles, Trace, TraceSearch, list_tree
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
    with (
        _without_names(),
        open_project(root) as project,
        project.alone() if wish.do else nullcontext(),
    ):
        plan = make_plan(project, found, wanted, layout)
        classes = {name: domain.classes for name, domain in found.domains.items()}
        for line in plan_lines(plan, project, classes, wish.models):
            say(line)
        search = TraceSearch(plan.needles, _digests(project, plan))
        traces: list[Trace] = []
        also: list[Path] = []
        if wish.found or not wish.do:
            traces = _search_tree(project, search)
            besides = [trace for trace in traces if _is_beside(plan, trace, wish)]
            also = [trace.file for trace in besides if not plan.is_kept(trace.file)]
            _report_besides(besides, also, wish)
            links = [trace for trace in besides if trace.file.is_symlink()]
            away = [one for one in links if leads_away(one.file, project.root, plan.is_kept)]
            if away:
                say("Links among them whose targets stay, which you must look at:")
            for line in trace_lines(away):
                say(line)
        if wish.do:
            carry_out(project.root, plan, wish.models, also)
            traces = _search_tree(project, search)
        for line in copy_lines(plan.models, traces):
            say(line)
        raw = [trace.root for trace in plan.raw]
        for line in older_lines(find_older(project, search, plan.models, raw)):
            say(line)
        if not wish.do:
            say("Nothing was changed. With --yes, graft does it.")
            return True
        return _report_left([trace for trace in traces if plan.tells(trace)], plan.needles)


@contextmanager
def _without_names() -> Iterator[None]:
    """Make a fault of the file system an InputError: the name of the file may be the patient's."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"a file of the patient or of an output: {error.strerror or type(error).__name__} (its "
            "name is not shown), expected one that can be read and deleted; then run it again"
        ) from None


def search_only(root: Path, text: str, parameters: Path, layout: Layout) -> bool:
    """Search for a name and its pseudonyms, also if no domain has the patient any more.

    Returns whether the working tree, DVC's cache and git's history have no trace. The arguments are
    those of `forget`.
    """
    found = read_parameters(Parameters, parameters)
    wanted = make_wanted(text, found.privacy, layout.processed)
    with _without_names(), open_project(root) as project:
        needles = text_needles([wanted.text], wanted)
        search = TraceSearch(needles)
        left = _search_tree(project, search)
        older = find_older(project, search, [], [])
        for line in older_lines(older):
            say(line)
        is_clean = _report_left(left, needles)
        return is_clean and not (older.objects or older.in_history)


def _digests(project: Project, plan: Plan) -> dict[str, str]:
    """What the digests are that name a model from the patient's data."""
    known: dict[str, str] = {}
    for model in plan.models:
        place = model.folder.relative_to(project.root).as_posix()
        known |= dict.fromkeys(model.digests, f"the SHA-256 of {place}")
    return known


def _is_beside(plan: Plan, trace: Trace, wish: Wish) -> bool:
    """Whether a file has the patient and the plan does not change it."""
    return plan.tells(trace) and not is_planned(plan, trace.file, wish.models)


def _report_besides(traces: list[Trace], files: list[Path], wish: Wish) -> None:
    """Say what else has the patient, and which of these files will be deleted."""
    going = [trace for trace in traces if trace.file in files]
    staying = [trace for trace in traces if trace.file not in files]
    if going:
        fate = "to delete" if wish.found else "which --found deletes"
        say(f"Other files that have the patient, {fate}:")
        for line in trace_lines(going):
            say(line)
    if staying:
        say("Files that have the patient, which you must change: git tracks them, or raw data:")
        for line in trace_lines(staying):
            say(line)


def _report_left(left: list[Trace], needles: Needles) -> bool:
    """Say whether the working tree still has something of the patient; returns if it has not."""
    if short := needles.texts.left_out:
        say(f"Not searched for: {short} of the patient's names and numbers, too short for it.")
    if not left:
        say("The working tree has no trace of the patient.")
        return True
    say("The working tree still has the patient:")
    for line in trace_lines(left):
        say(line)
    return False


def _search_tree(project: Project, search: TraceSearch) -> list[Trace]:
    left_out = [] if project.cache is None else [project.cache]
    files = list(list_tree(project.root, left_out))
    found: list[Trace] = []
    with countdown("search", len(files), "file") as show:
        for number, file in enumerate(files):
            found += search.find(file, file.relative_to(project.root).as_posix())
            show(number)
    return found
