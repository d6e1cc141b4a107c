"""A temporary clone of the repository in which a sweep runs DVC."""

import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from flows.command import SHARING, run_command


class CommandError(RuntimeError):
    """A command ended with a status other than 0; the message has its last lines."""


@contextmanager
def temporary_clone(origin: str, revision: str, remote: str) -> Iterator[Path]:
    """Yield a clone at a revision, in a temporary folder, that uses a DVC remote by default."""
    with tempfile.TemporaryDirectory(prefix="graft-sweep-") as parent:
        folder = Path(parent) / "workspace"
        clone = ("git", "clone", "--quiet", "--no-checkout", origin, str(folder))
        run_in_clone(Path(parent), *clone)
        run_in_clone(folder, "git", "checkout", "--quiet", "--detach", revision)
        # Experiments are commits, and git on a worker may have no user name.
        run_in_clone(folder, "git", "config", "user.name", "graft")
        run_in_clone(folder, "git", "config", "user.email", "graft")
        add = ("dvc", "remote", "add", "--quiet", "--local", "--default", "sweep", remote)
        run_in_clone(folder, *add)
        yield folder


def run_in_clone(folder: Path, *words: str, settings: Mapping[str, str] | None = None) -> None:
    """Run a command and log its lines.

    Args:
        folder: the working directory.
        words: the command and its arguments.
        settings: environment variables to set in addition to the present ones.

    Raises:
        CommandError: if its exit status is not 0.
    """
    ended = run_command(words, folder, {**SHARING, **(settings or {})})
    if ended.status:
        reason = f"{' '.join(words[:3])} ended with {ended.status}:"
        raise CommandError("\n".join([reason, *ended.tail]))


def git_output(folder: Path, *words: str) -> str:
    """Return what a git command prints.

    Raises:
        subprocess.CalledProcessError: if git fails.
    """
    command = ["git", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()
