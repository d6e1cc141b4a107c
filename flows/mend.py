"""Repairs DVC's own files, which may be torn if DVC is killed while it writes them in place."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from ruamel.yaml import YAML, YAMLError
from voluptuous import Invalid

from flows import graph

GRACE_S = 1.0  # a file that is being written is complete after this time


def mend_dvc_files(root: Path) -> None:
    """Restore torn lock files from git, or delete those that git does not have.

    DVC's run cache still has the results: the stages are restored, not run again.
    """
    for name in graph.LOCKS:
        if _is_torn(root / name, _parse_lock) and not _restore_from_git(root, name):
            (root / name).unlink()
    read_write_lock = root / ".dvc/tmp/rwlock"
    if _is_torn(read_write_lock, json.loads):
        read_write_lock.unlink()


def _restore_from_git(root: Path, name: str) -> bool:
    command = ["git", "checkout", "HEAD", "--", name]
    return subprocess.run(command, cwd=root).returncode == 0


def _is_torn(path: Path, parse: Callable[[str], object]) -> bool:
    for wait in (GRACE_S, 0):
        if not path.exists():
            return False
        try:
            parse(path.read_text(encoding="utf-8"))
            return False
        except (ValueError, YAMLError, Invalid):
            time.sleep(wait)
    return True


def _parse_lock(text: str) -> None:
    COMPILED_LOCKFILE_SCHEMA(YAML(typ="safe").load(text))
