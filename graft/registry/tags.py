"""Tags of git in the format of GTO: the only things that the registry writes."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from gto.registry import GitRegistry
from gto.tag import parse_name

from graft.common.files import InputError
from graft.common.shown import shown
from graft.registry.history import Version, stage_tags
from graft.registry.project import Project

MOST_AHEAD_S = 5  # of the clock of another machine


def register(project: Project, version: str, message: str) -> str:
    """Make the version tag of the commit that is checked out, such as diagnosis@v1.2.0.

    Returns:
        The name of the tag.
    """
    with GitRegistry.from_scm(project.scm) as registry:
        made = registry.register(
            project.artifact, project.head, version=version, message=message, simple=True
        )
    return made.tag


def assign(project: Project, version: Version, stage: str, message: str) -> str:
    """Make a tag that gives a version a stage, such as diagnosis#production#3.

    Returns:
        The name of the tag.
    """
    wait_until_newest(project)
    with GitRegistry.from_scm(project.scm) as registry:
        # By `force`, a version may get a stage that it had before, as in a rollback.
        made = registry.assign(
            project.artifact, stage, version=version.name, message=message, force=True
        )
    return made.tag


def wait_until_newest(project: Project) -> None:
    """Wait until a new tag is newer than all others: tags have whole seconds.

    The stage belongs to the newest tag, for GTO and for `dvc artifacts get --stage`.

    Raises:
        InputError: if one is dated so late that the clock here or there must be wrong.
    """
    tags = stage_tags(project.scm, project.artifact)
    if not tags:
        return
    ahead = tags[-1].tag.tag_time + 1 - time.time()
    if ahead > MOST_AHEAD_S:
        raise InputError(
            f"{tags[-1].tag.name}: is dated {ahead:.0f} s after the clock of this machine, "
            "expected an earlier time; set the clock"
        )
    time.sleep(max(ahead, 0))


def fetch_tags(project: Project, remote: str) -> None:
    """Fetch the tags of a git remote, so that versions of other clones count.

    Raises:
        InputError: if there is no such remote, or if one of its tags differs from the one here.
    """
    names = [each.name for each in project.git.remotes]
    if remote not in names:
        expected = f"one of {', '.join(names)}" if names else "one that `git remote add` added"
        raise InputError(f"--push: got {shown(remote)}, expected {expected}")
    project.git.git.fetch(remote, "--tags")


def push_tags(project: Project, remote: str, made: Sequence[str]) -> None:
    """Push all tags of the artifact and the commits that they need, all or none.

    If this fails, the new tags are deleted here too.
    """
    names = []
    for name in project.scm.list_tags():
        if parse_name(name, raise_on_fail=False).get("name") == project.artifact:
            names.append(f"refs/tags/{name}")
    with all_or_none(project, made):
        project.git.git.push("--atomic", "--quiet", remote, *names)


@contextmanager
def all_or_none(project: Project, made: Sequence[str]) -> Iterator[None]:
    """Delete the tags that were made if the block fails: nobody else has seen them."""
    try:
        yield
    except BaseException:
        if made:
            project.git.git.tag("--delete", *made)
        raise
