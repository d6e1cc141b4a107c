"""What the run behind a version found, without checking that version out."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dvc.api import DVCFileSystem
from dvc.exceptions import DvcException

from graft.common.files import InputError, read_json
from graft.common.gates import look_up
from graft.common.shown import first_line, shown
from graft.registry.project import Project


@dataclass(frozen=True)
class Summary:
    """The chosen model of a run, the verdict on transfer, and the test AUROC with its interval."""

    model: str
    verdict: str
    auroc: Mapping[str, float | None]

    def text(self) -> str:
        """All of it in a few words."""
        return f"{self.model}, verdict {self.verdict}, test AUROC {format_auroc(self.auroc)}"


def summarise(path: Path, metrics: Mapping) -> Summary:
    """Return the summary of a run.

    Args:
        path: of metrics.json, for messages.
        metrics: its content.

    Raises:
        InputError: if it lacks one of them.
    """
    model, verdict = look_up(metrics, "chosen.model"), metrics.get("verdict")
    auroc = look_up(metrics, f"models.{model}.test.auroc")
    if not isinstance(verdict, str) or not isinstance(auroc, Mapping):
        raise InputError(f"{path}: has no verdict or no AUROC of {shown(model)}, expected both")
    numbers = {key: auroc.get(key) for key in ("value", "low", "high")}
    return Summary(model, verdict, numbers)


def format_auroc(auroc: Mapping[str, float | None]) -> str:
    """Return `0.861 (0.798 to 0.907)`."""
    value, low, high = (auroc[key] for key in ("value", "low", "high"))
    if value is None:
        return "not defined"
    return (
        f"{value:.3f}" if low is None or high is None else f"{value:.3f} ({low:.3f} to {high:.3f})"
    )


def read_metrics(project: Project, commit: str, path: str) -> dict:
    """Return metrics.json of a commit, from DVC's cache or its remote.

    Raises:
        InputError: if neither has it, or if it is damaged.
    """
    with files_of(project, commit, [path]) as folder:
        return read_json(folder / Path(path).name)


@contextmanager
def files_of(project: Project, commit: str, paths: list[str]) -> Iterator[Path]:
    """Yield a temporary folder with files and folders of a commit, by their last names.

    The remote is that of this commit, because the other one may have had none or another address.

    Raises:
        InputError: if neither the commit nor DVC's cache or remote has one of them.
    """
    settings = project.repo.config
    name = settings["core"].get("remote")
    remotes = {"core": {"remote": name}, "remote": settings["remote"]} if name else {}
    files = DVCFileSystem(url=project.scm.root_dir, rev=commit, subrepos=True, config=remotes)
    with tempfile.TemporaryDirectory(prefix="graft-registry-") as name:
        for path in paths:
            try:
                files.get(path, str(Path(name, Path(path).name)), recursive=True)
            except (OSError, DvcException) as error:
                raise InputError(
                    f"{path}: cannot be read from commit {commit[:7]}, DVC's cache or its remote "
                    f"({first_line(error)}); push it where it was made: docs/registry.md"
                ) from error
        yield Path(name)
