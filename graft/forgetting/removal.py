"""Carries out a plan: deletes and rewrites, so that a killed run can be completed."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from graft.common.links import follow_links
from graft.common.partial import delete_leftovers
from graft.forgetting.plan import Plan
from graft.forgetting.raw import RawTrace, delete_files
from graft.networks.card import CARD

LAST = (CARD, "index.csv")  # of a folder: they tell the next run whose the rest is


def carry_out(root: Path, plan: Plan, delete_models: bool, also: Iterable[Path]) -> None:
    """Delete and rewrite what the plan says, in a project that stays locked meanwhile.

    What names the patient comes last, which is the raw data or else the processed domain: a run
    that is killed finds the patient again and does the rest.
    """
    delete_files(also, root, plan.is_kept)
    if delete_models:
        for model in plan.models:
            if model.is_sure:
                _delete_folder(model.folder)
    _change_raw(trace for trace in plan.raw if trace.is_counted)
    for path in plan.outputs:
        _delete(path)
    _change_raw(trace for trace in plan.raw if not trace.is_counted)


def _change_raw(traces: Iterable[RawTrace]) -> None:
    changed: set[Path] = set()  # two domains may have the same raw data
    for trace in traces:
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


def _delete_folder(folder: Path) -> None:
    for file in folder.rglob("*"):
        if file.name not in LAST and not file.is_dir():
            file.unlink()
    shutil.rmtree(folder)


def _delete(path: Path) -> None:
    """Delete an output and what a killed stage left beside it."""
    delete_leftovers(path)
    if path.is_dir() and not path.is_symlink():
        _delete_folder(path)
    else:
        path.unlink(missing_ok=True)
