"""A workspace of an example: a clone of the repository's committed HEAD, which shares its DVC cache."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from graft.common.files import InputError
from graft.console import say

ROOT = Path(__file__).parents[1]
HOME = Path(".graft/examples")


def prepare(name: str, params: Path) -> Path:
    """Make the workspace of an example or bring it to HEAD, with the example's `params.yaml`.

    Raises InputError where git or DVC cannot.
    """
    folder = ROOT / HOME / name
    if call(ROOT, "git", "status", "--porcelain", "--untracked-files=no", quiet=True):
        say(f"{name}: what is not committed is left out, but for {params.relative_to(ROOT)}")
    if not folder.exists():
        call(ROOT, "git", "clone", "--quiet", str(ROOT), str(folder), quiet=True)
    call(folder, "git", "fetch", "--quiet", str(ROOT), "HEAD", quiet=True)
    call(folder, "git", "reset", "--quiet", "--hard", "FETCH_HEAD", quiet=True)
    call(
        folder,
        "dvc",
        "cache",
        "dir",
        "--local",
        call(ROOT, "dvc", "cache", "dir", quiet=True),
        quiet=True,
    )
    shutil.copyfile(params, folder / "params.yaml")
    say(f"{name}: running the pipeline (dvc repro) in {HOME / name}")
    return folder


def link(folder: Path, path: Path) -> None:
    """Show a workspace the user's data, which it only reads, at the same path as in the repository."""
    clear(folder / path)
    (folder / path).symlink_to(ROOT / path)


def clear(path: Path) -> None:
    """Take away what stands in the place of data in a workspace, and the file by which DVC versions it."""
    path.with_name(f"{path.name}.dvc").unlink(missing_ok=True)
    if path.is_symlink():
        path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)


def call(folder: Path, *words: str, quiet: bool = False) -> str:
    """Run a command with this interpreter's `python` and `dvc`; what it says is printed or, where `quiet`, returned.

    Raises InputError where it fails.
    """
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
    }
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=quiet, text=True)
    if done.returncode:
        said = " ".join(done.stderr.split()) if quiet else "what it said is above"
        raise InputError(
            f"{folder.name}: {' '.join(words[:3])} ended with {done.returncode}, expected 0 ({said})"
        )
    return done.stdout.strip() if quiet else ""
