"""Promotion of the model of the commit that is checked out, and the way back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from graft.common.files import InputError, read_json
from graft.common.gates import Gate, Judgement
from graft.common.shown import counted
from graft.registry import tags
from graft.registry.gates import Evidence, judge
from graft.registry.history import History, Version, next_version, read_history
from graft.registry.project import Project
from graft.registry.runs import files_of, summarise

MARKS = {True: "pass", False: "FAIL"}


@dataclass(frozen=True)
class Wish:
    """What a promotion should do: the options of `graft promote`."""

    version: str | None = None
    bump: str | None = None
    stage: str | None = None
    push: str | None = None
    dry_run: bool = False


def promote(
    project: Project, metrics: Path, gates: Sequence[Gate] | None, wish: Wish
) -> Iterator[str]:
    """Give the commit that is checked out a version, a stage or both if every gate passes.

    Args:
        project: the repository; no other process may write its tags.
        metrics: the path of metrics.json.
        gates: bounds for its numbers; None for the default one.
        wish: the version, the stage and where to push.

    Yields:
        Lines for the user: what each gate found, and the tags.

    Raises:
        InputError: if the wish cannot be fulfilled or a gate fails; no tag is made then.
    """
    if wish.push:
        tags.fetch_tags(project, wish.push)
    history = read_history(project.scm, project.artifact)
    name = plan_version(history, project.head, wish)
    what = f"{project.artifact}@{name}" + (f" in {wish.stage}" if wish.stage else "")
    found = []
    for judgement in judge(Evidence(project, history, metrics, gates)):
        found.append(judgement)
        yield _line(judgement)
    failed = [each.gate for each in found if not each.passed]
    if failed:
        count = f"{len(failed)} of {counted(len(found), 'gate')}"
        raise InputError(f"{what}: {count} failed: {', '.join(failed)}; nothing was tagged")
    if wish.dry_run:
        yield f"{what}: every gate passed; without --dry-run it would be tagged"
        return
    text = summarise(metrics, read_json(metrics)).text()
    made = _make_tags(project, name, wish.stage, text)
    yield from _finish(project, made, wish.push)


def _make_tags(project: Project, name: str, stage: str | None, text: str) -> list[str]:
    """Tag the commit with its version, if it has none, and with a stage; all or nothing."""
    made: list[str] = []
    if stage:
        tags.wait_until_newest(project)  # or refuse, before anything is made
    with tags.all_or_none(project, made):
        if read_history(project.scm, project.artifact).at(project.head) is None:
            made.append(tags.register(project, name, f"{project.artifact} {name}: {text}"))
        if stage:
            version = read_history(project.scm, project.artifact).at(project.head)
            assert version is not None
            message = f"{project.artifact} {name} in {stage}: {text}"
            made.append(tags.assign(project, version, stage, message))
    return made


def plan_version(history: History, commit: str, wish: Wish) -> str:
    """Return the version that a commit has or should get.

    Raises:
        InputError: if it cannot have the version, or has the version and the stage already.
    """
    if wish.version and wish.bump:
        raise InputError("--version and --bump: both are given, expected one of them")
    present = history.at(commit)
    if present is None:
        return next_version(history, wish.version, wish.bump)
    if wish.bump or wish.version not in (None, present.name):
        raise InputError(
            f"--{'bump' if wish.bump else 'version'}: this commit is {present.name} already, and "
            "a commit has one version; leave the option out to give that version a stage"
        )
    if wish.stage is None:
        raise InputError(f"--stage: is not given, and this commit is {present.name} already")
    if history.in_stage(wish.stage) == present:
        raise InputError(f"--stage: {present.name} is in {wish.stage} already")
    return present.name


def rollback(project: Project, stage: str, push: str | None, dry_run: bool) -> Iterator[str]:
    """Give a stage back to the version that had it before the present one.

    Yields:
        Lines for the user.

    Raises:
        InputError: if no version has the stage, or none had it before.
    """
    if push:
        tags.fetch_tags(project, push)
    present, before = _last_two(read_history(project.scm, project.artifact), stage)
    yield f"{project.artifact}: {stage} goes from {present.name} back to {before.name}"
    try:
        with files_of(project, before.commit, [project.relative(project.model)]):
            pass
    except InputError as error:  # here, but perhaps not where the model is used
        yield f"warning: {error}"
    if dry_run:
        return
    message = f"{project.artifact}: {stage} back from {present.name} to {before.name}"
    yield from _finish(project, [tags.assign(project, before, stage, message)], push)


def _last_two(history: History, stage: str) -> tuple[Version, Version]:
    path = history.stages.get(stage, ())
    if not path:
        raise InputError(f"{stage}: no version has this stage, expected two that had it")
    if len(path) < 2:
        raise InputError(f"{stage}: no version had this stage before {path[-1].name}")
    return path[-1], path[-2]


def _finish(project: Project, made: Sequence[str], remote: str | None) -> Iterator[str]:
    if remote:
        tags.push_tags(project, remote, made)
        yield f"tagged and pushed to {remote}: {', '.join(made)}"
        return
    yield f"tagged: {', '.join(made)}"
    yield f"to share it: git push <remote> {' '.join(repr(tag) for tag in made)}"


def _line(judgement: Judgement) -> str:
    return f"{MARKS[judgement.passed]}  {judgement.gate}: {judgement.text}"
