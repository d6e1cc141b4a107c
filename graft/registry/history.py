"""The versions of an artifact and their stages, as the tags of git have them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gto.constants import Action
from gto.registry import GitRegistry
from gto.tag import Tag, find, parse_name, parse_tag
from gto.versions import SemVer
from scmrepo.git import Git

from graft.common.files import InputError
from graft.common.shown import shown

BUMPS = ("major", "minor", "patch")
EXAMPLE = "v1.0.0"


@dataclass(frozen=True)
class Version:
    """A version of an artifact, such as v1.2.0, and the SHA-1 of its commit."""

    name: str
    commit: str
    created: datetime


@dataclass(frozen=True)
class History:
    """The versions of an artifact, the highest first, and those that each stage went through.

    The last one of a stage has it now. A version that gets a stage again takes the place that it
    had, and what came after it is gone. So a rollback does not return to what it rolled back.
    """

    versions: tuple[Version, ...]
    stages: dict[str, tuple[Version, ...]]

    def in_stage(self, stage: str) -> Version | None:
        """The version that has a stage now."""
        return self.stages[stage][-1] if self.stages.get(stage) else None

    def at(self, commit: str) -> Version | None:
        """The version of a commit. GTO allows one."""
        return next((each for each in self.versions if each.commit == commit), None)

    def stages_of(self, version: Version) -> list[str]:
        """The stages that a version has now."""
        return sorted(stage for stage, path in self.stages.items() if path[-1:] == (version,))


def read_history(scm: Git, artifact: str) -> History:
    """Read the annotated tags of an artifact.

    Deregistered versions are left out, and so are stages of commits that have no version.
    """
    with GitRegistry.from_scm(scm) as registry:
        registered = registry.find_artifact(artifact, create_new=True).get_versions()
    versions = []
    for each in registered:
        created = each.registrations[-1].created_at
        versions.append(Version(each.version, each.commit_hexsha, created))
    return History(tuple(versions), _stages(stage_tags(scm, artifact), versions))


def stage_tags(scm: Git, artifact: str) -> list[Tag]:
    """The tags that give an artifact a stage or take it away, in their order."""
    actions = frozenset({Action.ASSIGN, Action.UNASSIGN})
    tags = find(action=actions, name=artifact, scm=scm)
    tags.sort(key=lambda tag: (tag.tag_time, parse_name(tag.name).get("counter", 0)))
    return [parse_tag(tag) for tag in tags]


def _stages(tags: Sequence[Tag], versions: Sequence[Version]) -> dict[str, tuple[Version, ...]]:
    by_commit = {version.commit: version for version in versions}
    paths: dict[str, list[Version]] = {}
    for tag in tags:
        version = by_commit.get(tag.tag.target)
        path = paths.setdefault(str(tag.stage), [])
        if version is None:
            continue
        if tag.action == Action.UNASSIGN:
            path[:] = [each for each in path if each != version]
            continue
        if version in path:
            del path[path.index(version) :]
        path.append(version)
    return {stage: tuple(path) for stage, path in paths.items()}


def next_version(history: History, version: str | None, bump: str | None) -> str:
    """Return the name of a new version.

    Args:
        history: the versions so far.
        version: the name that is wanted, or None.
        bump: which number to raise instead; None: the last one (patch).

    Raises:
        InputError: if the name is no semantic version or not above all others, or if there is
            nothing to raise.
    """
    latest = history.versions[0].name if history.versions else None
    if version is None:
        if latest is None:
            raise InputError(f"--version: is not given, expected the first one, such as {EXAMPLE}")
        return SemVer(latest).bump(**{f"bump_{bump or BUMPS[-1]}": True}).version
    if not version or not SemVer.is_valid(version):
        raise InputError(
            f"--version: got {shown(version)}, expected a semantic version such as {EXAMPLE}"
        )
    if latest is not None and not SemVer(version) > SemVer(latest):
        raise InputError(f"--version: got {version}, expected one above {latest}, the highest")
    return version
