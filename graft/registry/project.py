"""The repository that a model is in, under git and DVC."""

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import git
from dvc.exceptions import DvcException
from dvc.output import Output
from dvc.repo import Repo
from git.exc import GitCommandError
from gto.exceptions import GTOException
from scmrepo.exceptions import SCMError
from scmrepo.git import Git

from graft.common.files import InputError
from graft.common.partial import locked
from graft.common.shown import first_line, one_line, shown


@dataclass(frozen=True)
class Project:
    """A repository and one artifact that its dvc.yaml names.

    `artifact` is the artifact's name in tags: that of dvc.yaml, after the folder of that file and a
    colon if it is not the root of the repository. `model` is its folder.
    """

    repo: Repo
    artifact: str
    model: Path

    @property
    def scm(self) -> Git:
        """The repository as GTO uses it."""
        return self.repo.scm

    @property
    def git(self) -> git.Repo:
        """The repository as git's own commands see it."""
        return self.scm.gitpython.repo

    @property
    def head(self) -> str:
        """The SHA-1 of the commit that is checked out."""
        return self.git.head.commit.hexsha

    def relative(self, path: Path) -> str:
        """Return a path inside the repository, relative to the root that git knows.

        Raises:
            InputError: if it is outside.
        """
        root = Path(self.scm.root_dir).resolve()
        try:
            return _absolute(path).relative_to(root).as_posix()
        except ValueError as error:
            raise InputError(f"{path}: is outside of {root.name}, expected a path in it") from error

    def output(self, path: Path) -> Output:
        """Return the output of DVC at a path; an error if there is none."""
        (found,) = self.repo.find_outs_by_path(str(_absolute(path)))
        return found


@contextmanager
def open_project(folder: Path, artifact: str | None, alone: bool = False) -> Iterator[Project]:
    """Yield the repository that a folder is in.

    Args:
        folder: any folder of the DVC project.
        artifact: the name of an artifact; None if dvc.yaml has only one.
        alone: whether to wait until no other process is in such a block, because tags will be
            written.

    Raises:
        InputError: if it is no complete repository under git and DVC, or has no such artifact. In
            the block, errors of git, GTO and DVC become InputError as well.
    """
    with _quietly(), Repo(Repo.find_root(str(folder))) as repo:
        if not isinstance(repo.scm, Git):
            raise InputError("this DVC project is not under git, expected `git init`")
        checkout = repo.scm.gitpython.repo
        _check_history(checkout)
        name = _pick(artifact, _artifacts(repo))
        model = Path(repo.scm.root_dir, repo.artifacts.get_path(name))
        project = Project(repo, name, model)
        if not alone:
            yield project
            return
        with locked(Path(checkout.common_dir)):
            yield project


def _check_history(checkout: git.Repo) -> None:
    """Raise InputError if there is no commit, or if commits and tags may be missing."""
    if not checkout.head.is_valid():
        raise InputError("this repository has no commit, expected one with dvc.yaml and dvc.lock")
    if checkout.git.rev_parse("--is-shallow-repository") == "true":
        raise InputError(
            "this clone is shallow and may lack versions, expected all commits and tags; run "
            "`git fetch --unshallow --tags`"
        )


def _artifacts(repo: Repo) -> list[str]:
    """The names of all artifacts, with the folder of their dvc.yaml."""
    names = []
    for file, artifacts in repo.artifacts.read().items():
        path = Path(repo.root_dir, file).resolve().parent
        folder = path.relative_to(Path(repo.scm.root_dir).resolve()).as_posix()
        names += [name if folder == "." else f"{folder}:{name}" for name in artifacts]
    return sorted(names)


def _pick(artifact: str | None, names: Sequence[str]) -> str:
    if not names:
        raise InputError("dvc.yaml: names no artifact, expected `artifacts:` with a name and path")
    if artifact in names:
        return str(artifact)
    if artifact is None and len(names) == 1:
        return names[0]
    got = "is not given" if artifact is None else f"got {shown(artifact)}"
    raise InputError(f"--artifact: {got}, expected one of {', '.join(names)}")


@contextmanager
def _quietly() -> Iterator[None]:
    """Let nothing be printed by DVC, and make each error one line."""
    log = logging.getLogger("dvc")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    except GitCommandError as error:
        raise InputError(f"git: {_reason(error)}") from error
    except (DvcException, GTOException, SCMError) as error:
        raise InputError(f"{first_line(error)}{_cause(error)}") from error
    finally:
        log.setLevel(level)


def _absolute(path: Path) -> Path:
    """A path without links to folders. DVC may have made a link of the file itself."""
    return path.parent.resolve() / path.name


def _cause(error: Exception) -> str:
    cause = error.__cause__
    return f" ({first_line(cause)})" if isinstance(cause, Exception) and str(cause) else ""


def _reason(error: GitCommandError) -> str:
    """What git says, without the passwords that addresses may contain."""
    text = str(error.stderr).strip().removeprefix("stderr:").strip(" '\n")
    return one_line(re.sub(r"//[^/@\s]+@", "//", text))
