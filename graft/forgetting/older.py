"""Older versions of a project that still hold a patient: DVC's cache, git, and the ways to purge.

graft changes none of them. They hold other things too, which only their owner can judge.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import git

from graft.forgetting.project import Project
from graft.forgetting.traces import TraceSearch, list_tree

READ_AT_ONCE = 1 << 22  # bytes of git's history
OVERLAP = 1 << 12


@dataclass(frozen=True)
class Older:
    """What older versions hold.

    Attributes:
        cache: the folder of DVC's cache; None if there is none.
        objects: how many of its files have a trace, and their bytes.
        is_shared: whether the cache is outside the project, where other projects may use it.
        experiments: how many DVC has.
        remotes: of DVC.
        in_history: whether git's history has a trace.
    """

    cache: Path | None
    objects: int
    size: int
    is_shared: bool
    experiments: int
    remotes: Sequence[str]
    in_history: bool


def find_older(project: Project, search: TraceSearch) -> Older:
    """Search DVC's cache and git's history."""
    objects = size = 0
    if project.cache is not None:
        for file in list_tree(project.cache):
            if search.find(file, file.name) is not None:
                objects += 1
                size += file.stat().st_size
    return Older(
        cache=project.cache,
        objects=objects,
        size=size,
        is_shared=project.cache is not None and not project.cache.is_relative_to(project.root),
        experiments=project.experiments(),
        remotes=project.remotes,
        in_history=_is_in_history(project, search),
    )


def _is_in_history(project: Project, search: TraceSearch) -> bool:
    """Whether a change in any commit, branch, tag, stash or experiment of git has a trace."""
    if project.git is None:
        return False
    checkout: git.Repo = project.git.gitpython.repo
    if not checkout.head.is_valid():
        return False
    process = checkout.git.log("--all", "--patch", "--text", "--no-color", as_process=True)
    content = b""
    found = False
    while read := process.stdout.read(READ_AT_ONCE):
        content = content[-OVERLAP:] + read
        if search.is_in(content):
            found = True
            break
    process.kill() if found else process.wait()
    return found
