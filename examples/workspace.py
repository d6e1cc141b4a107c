"""The workspace of an example: a clone of HEAD that shares the DVC cache of the repository."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from graft.common.files import InputError
from graft.console import say

ROOT = Path(__file__).parents[1]
HOME = Path(".graft/examples")


def prepare_workspace(name: str, parameters: Path) -> Path:
    """Clone the repository for an example, or bring its clone to HEAD, and return the folder.

    The clone gets the example's params.yaml.

    Raises:
        InputError: if git or DVC fails.
    """
    folder = ROOT / HOME / name
    if command_output(ROOT, "git", "status", "--porcelain", "--untracked-files=no"):
        used = parameters.relative_to(ROOT)
        say(f"{name}: changes that are not committed are left out, except for {used}")
    if not folder.exists():
        command_output(ROOT, "git", "clone", "--quiet", str(ROOT), str(folder))
    command_output(folder, "git", "fetch", "--quiet", str(ROOT), "HEAD")
    command_output(folder, "git", "reset", "--quiet", "--hard", "FETCH_HEAD")
    cache = command_output(ROOT, "dvc", "cache", "dir")
    command_output(folder, "dvc", "cache", "dir", "--local", cache)
    shutil.copyfile(parameters, folder / "params.yaml")
    say(f"{name}: running the pipeline (dvc repro) in {HOME / name}")
    return folder


def link_data(folder: Path, path: Path) -> None:
    """Link the user's data into a workspace, at the same path as in the repository."""
    remove_data(folder / path)
    (folder / path).symlink_to(ROOT / path)


def remove_data(path: Path) -> None:
    """Remove data from a workspace, and the file by which DVC versions it."""
    path.with_name(f"{path.name}.dvc").unlink(missing_ok=True)
    if path.is_symlink():
        path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)


def run_command(folder: Path, *words: str) -> None:
    """Run a command with this interpreter's `python` and `dvc`, and show what it prints.

    Raises:
        InputError: if it fails.
    """
    done = subprocess.run(words, cwd=folder, env=_environment())
    _raise_if_failed(folder, words, done.returncode, "its output is above")


def command_output(folder: Path, *words: str) -> str:
    """Run a command as `run_command` does, and return what it prints.

    Raises:
        InputError: if it fails.
    """
    done = subprocess.run(
        words,
        cwd=folder,
        env=_environment(),
        capture_output=True,
        text=True,
    )
    message = " ".join(done.stderr.split())
    _raise_if_failed(folder, words, done.returncode, message)
    return done.stdout.strip()


def _environment() -> dict[str, str]:
    programs = str(Path(sys.executable).parent)
    former = os.environ.get("PATH", "")
    path = os.pathsep.join([programs, former])
    return {**os.environ, "PATH": path}


def _raise_if_failed(
    folder: Path,
    words: tuple[str, ...],
    status: int,
    message: str,
) -> None:
    if status:
        command = " ".join(words[:3])
        raise InputError(f"{folder.name}: {command} ended with {status}, expected 0 ({message})")
