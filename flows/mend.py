"""What DVC writes in place may be torn when it is killed: this puts it right, before a run and after it."""

import json
import subprocess
import time
from pathlib import Path

from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from ruamel.yaml import YAML, YAMLError
from voluptuous import Invalid

from flows import graph

GRACE_S = 1.0  # a file that is being written is whole by then


def mend(root: Path) -> None:
    """Take torn lock files back to what git has, or away where it has none.

    What is lost with them, DVC's run cache knows: the stages are restored, not run.
    """
    for name in graph.LOCKS:
        if (
            _torn(root / name, _check_lock)
            and subprocess.run(["git", "checkout", "HEAD", "--", name], cwd=root).returncode
        ):
            (root / name).unlink()
    if _torn(root / ".dvc/tmp/rwlock", json.loads):
        (root / ".dvc/tmp/rwlock").unlink()


def _torn(path: Path, check) -> bool:
    for wait in (GRACE_S, 0):
        if not path.exists():
            return False
        try:
            check(path.read_text(encoding="utf-8"))
            return False
        except (ValueError, YAMLError, Invalid):
            time.sleep(wait)
    return True


def _check_lock(text: str) -> None:
    COMPILED_LOCKFILE_SCHEMA(YAML(typ="safe").load(text))
