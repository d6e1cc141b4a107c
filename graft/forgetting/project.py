"""The project as DVC and git see it: what depends on raw data, and where older versions are."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.lock import LockError
from dvc.repo import Repo
from dvc.rwlock import rwlock
from scmrepo.exceptions import SCMError
from scmrepo.git import Git

from graft.common.files import InputError
from graft.common.links import follow_links
from graft.common.shown import first_line

EXPERIMENTS = "refs/exps"  # of git, where DVC keeps its experiments
RUNNING = f"{EXPERIMENTS}/exec/"  # marks of DVC about one that runs or ran


@dataclass(frozen=True)
class Writer:
    """What writes raw data into the working tree: a stage, or a file that `dvc add` made."""

    name: str
    is_stage: bool


class Project:
    """A DVC project that is open."""

    def __init__(self, repo: Repo) -> None:
        """Look at an open project of DVC."""
        self._repo = repo
        self.root = follow_links(Path(repo.root_dir))

    @property
    def cache(self) -> Path | None:
        """The folder of DVC's cache; None if there is none."""
        path = Path(self._repo.cache.local.path)  # <cache>/files/md5
        folder = path.parents[1] if path.parts[-2:] == ("files", "md5") else path
        return folder if folder.is_dir() else None

    @property
    def remotes(self) -> list[str]:
        """The names of DVC's remotes."""
        return sorted(self._repo.config.get("remote", {}))

    @property
    def git(self) -> Git | None:
        """The repository of git; None without one."""
        return self._repo.scm if isinstance(self._repo.scm, Git) else None

    def experiments(self) -> int:
        """How many experiments of DVC there are, also queued and failed ones."""
        if self.git is None:
            return 0
        refs = self.git.iter_refs(base=EXPERIMENTS)
        return sum(not ref.startswith(RUNNING) for ref in refs)

    def tracked(self) -> set[Path]:
        """The files that git tracks; the whole project if it is not under git."""
        if self.git is None:
            return {self.root}
        checkout = self.git.gitpython.repo
        top = follow_links(Path(checkout.working_dir))
        return {top / str(path) for path, _ in checkout.index.entries}

    def outputs_after(self, raw: Iterable[Path]) -> list[Path]:
        """All outputs that depend on raw data, directly or through other stages."""
        changed = [follow_links(path) for path in raw]
        found: dict[Path, None] = {}
        grows = True
        while grows:
            grows = False
            for stage in self._repo.index.stages:
                if not _overlaps(_paths(stage.deps), changed):
                    continue
                for path in _paths(stage.outs):
                    if path not in found:
                        grows = True
                        found[path] = None
                        changed.append(path)
        return list(found)

    def writer_of(self, path: Path) -> Writer | None:
        """What writes a path, or a folder around it or inside it."""
        for stage in self._repo.index.stages:
            if _overlaps(_paths(stage.outs), [follow_links(path)]):
                file = Path(stage.path).resolve().relative_to(self.root).as_posix()
                name = stage.addressing if stage.cmd else file
                return Writer(name, bool(stage.cmd))
        return None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep all stages and commands of DVC from running.

        Raises:
            InputError: if one is running.
        """
        hardlink = self._repo.config["core"].get("hardlink_lock", False)
        try:
            with (
                self._repo.lock,
                rwlock(
                    self._repo.tmp_dir,
                    self._repo.fs,
                    "graft forget",
                    [],
                    [str(self.root)],
                    hardlink,
                ),
            ):
                yield
        except LockError as error:
            raise InputError(
                f"{self.root.name}: a stage or a command of DVC is running, or another "
                f"`graft forget`, expected none ({first_line(error)})"
            ) from error


@contextmanager
def open_project(folder: Path) -> Iterator[Project]:
    """Yield the project of DVC whose root a folder is.

    Raises:
        InputError: if it is none, or if its dvc.yaml cannot be read.
    """
    log = logging.getLogger("dvc")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        with Repo(str(folder)) as repo:
            yield Project(repo)
    except (DvcException, SCMError) as error:
        raise InputError(f"DVC: {first_line(error)}, expected the root of a project") from error
    finally:
        log.setLevel(level)


def _paths(items: Sequence) -> list[Path]:
    """The local paths of dependencies or outputs of a stage."""
    return [follow_links(Path(item.fs_path)) for item in items if item.protocol == "local"]


def _overlaps(paths: Iterable[Path], others: Sequence[Path]) -> bool:
    """Whether some path is, contains or is inside one of the others."""
    for path in paths:
        for other in others:
            if path.is_relative_to(other) or other.is_relative_to(path):
                return True
    return False
