"""Older versions of a project that still hold a patient: DVC's cache, git, and how to purge them.

graft changes none of them. They hold other things too, which only their owner can judge.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import git

from graft.common.shown import counted
from graft.forgetting.models import FoundModel
from graft.forgetting.project import Project
from graft.forgetting.traces import TraceSearch, list_tree
from graft.forgetting.versions import ModelVersion, list_versions

READ_AT_ONCE = 1 << 22  # bytes of git's history
OVERLAP = 1 << 12


@dataclass(frozen=True)
class Older:
    """What older versions hold.

    Attributes:
        cache: the folder of DVC's cache; None if there is none.
        is_shared: whether it is outside the project, where other projects may use it.
        objects: how many of its files have a trace.
        size: of these, in bytes.
        experiments: how many DVC has.
        remotes: of DVC.
        in_history: whether git's history has a trace.
        versions: of models from the patient's data, in git.
        tracked: the raw data that `dvc add` tracks, and that changed.
    """

    cache: Path | None
    is_shared: bool
    objects: int
    size: int
    experiments: int
    remotes: Sequence[str]
    in_history: bool
    versions: Sequence[ModelVersion]
    tracked: Sequence[Path]


def find_older(
    project: Project, search: TraceSearch, models: Sequence[FoundModel], raw: Sequence[Path]
) -> Older:
    """Search DVC's cache and git's history. `raw` are the folders of raw data that change."""
    cache = project.cache
    sizes = []
    for file in () if cache is None else list_tree(cache):
        if any(not trace.of_model for trace in search.find(file, file.name)):
            sizes.append(file.stat().st_size)
    writers = {path: project.writer_of(path) for path in raw}
    return Older(
        cache=cache,
        is_shared=cache is not None and not cache.is_relative_to(project.root),
        objects=len(sizes),
        size=sum(sizes),
        experiments=project.experiments(),
        remotes=project.remotes,
        in_history=_is_in_history(project, search),
        versions=list_versions(project, models),
        tracked=[path for path, writer in writers.items() if writer and not writer.is_stage],
    )


def _is_in_history(project: Project, search: TraceSearch) -> bool:
    """Whether a change in any commit, branch, tag, stash or experiment of git has a trace."""
    if project.git is None:
        return False
    checkout: git.Repo = project.git.gitpython.repo
    if not checkout.head.is_valid():
        return False
    as_written = checkout.git(c="core.quotepath=off")  # names of files
    process = as_written.log("--all", "-m", "--patch", "--text", "--no-color", as_process=True)
    content = b""
    while read := process.stdout.read(READ_AT_ONCE):
        content = content[-OVERLAP:] + read
        if search.is_in(content):
            process.kill()
            return True
    process.wait()
    return False


def older_lines(older: Older) -> Iterator[str]:
    """What older versions hold, and the commands that purge it, in their order."""
    yield "Older versions, which graft does not change:"
    if older.cache is not None:
        held = f"{counted(older.objects, 'file')}, {older.size / 1e6:.1f} MB"
        found = f"has the patient in {held}" if older.objects else "has no trace of the patient"
        shared = " (outside this project: others may use it)" if older.is_shared else ""
        yield f"  DVC's cache {older.cache}{shared} {found}."
    if older.experiments:
        has = "experiment has" if older.experiments == 1 else "experiments have"
        yield f"  {older.experiments} {has} outputs and models of their own."
    for name in older.remotes:
        yield f"  The remote {name} of DVC has what was pushed to it, which is not searched."
    found = "has the patient" if older.in_history else "has no trace of the patient"
    yield f"  The history of git {found}."
    for version in older.versions:
        named = [
            folder if folder in version.same else f"{folder} (another one than here)"
            for folder in version.models
        ]
        yield f"  The version {version.ref} of git has {', '.join(named)}: withdraw it."
    if not (older.objects or older.experiments or older.remotes or older.in_history):
        return
    commands = list(_commands(older))
    width = max(len(command) for command, _ in commands)
    yield "To purge them, in this order:"
    for command, why in commands:
        yield f"  {command:<{width}}  # {why}"


def _commands(older: Older) -> Iterator[tuple[str, str]]:
    for path in older.tracked:
        yield f"dvc add {path}", "so that no .dvc file names the data of before"
    yield "dvc repro", "until dvc.lock names the new data, DVC keeps that of before"
    yield "git commit --all", "the new dvc.lock"
    if older.experiments:
        yield "dvc exp remove --all-commits", "ALL experiments"
        yield "dvc exp remove --queue", "those that wait"
    keeps = "EVERY version of all data, models and results but the present one"
    yield "dvc gc --workspace", f"deletes {keeps}"
    for name in older.remotes:
        yield f"dvc gc --workspace --cloud --remote {name}", "the same for all who pull from there"
    if older.in_history:
        yield (
            "git filter-repo --replace-text FILE",
            "FILE has the name; every commit gets another number, and every clone must be replaced",
        )
