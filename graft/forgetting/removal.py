"""Carries out a plan: deletes and rewrites, so that a killed run can be completed."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from graft.common.links import follow_links
from graft.common.partial import delete_leftovers
from graft.forgetting.plan import Plan
from graft.forgetting.raw import delete_files
from graft.networks.card import CARD


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
    changed: set[Path] = set()  # two domains may have the same raw data
    for trace in plan.raw:
        delete_files(trace.files, trace.root)
        tables = {follow_links(table) for table in trace.tables}
        if changed.isdisjoint(tables):
            trace.rewrite()
        changed |= tables


def is_planned(plan: Plan, path: Path, delete_models: bool) -> bool:
    """Whether a file will be deleted or rewritten."""
    raw = [file for trace in plan.raw for file in (*trace.files, *trace.tables)]
    models = [model.folder for model in plan.models if model.is_sure and delete_models]
    going = {follow_links(one) for one in (*raw, *models, *plan.outputs)}
    return not going.isdisjoint((path, *path.parents))


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
