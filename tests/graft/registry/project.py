"""Runs of a small repository, written without training, and the commands of the registry."""

import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from dvc.repo import Repo

from graft.common.files import sha256, write_sealed
from tests.commands import run_module
from tests.run_explained import card_document
from tests.run_metrics import metrics_document
from tests.runs import unchanged

DVC_YAML = """
stages:
  read: {cmd: read, outs: [data/raw.txt]}
  split: {cmd: split, deps: [data/raw.txt], outs: [data/split.txt]}
  evaluate:
    cmd: evaluate
    deps: [data/split.txt]
    params: [lambda]
    outs: [metrics/metrics.json, models/best]
artifacts:
  diagnosis: {path: models/best, type: model}
"""
CHOSEN = "bagging"
DAY_S = 24 * 60 * 60


def write_results(
    folder: Path, auroc: float = 0.8, change: Callable[[dict], object] = unchanged
) -> None:
    """Write models/best and metrics/metrics.json; the weights follow from the AUROC."""
    shutil.rmtree(folder / "models", ignore_errors=True)
    shutil.rmtree(folder / "metrics", ignore_errors=True)
    model = folder / "models/best"
    model.mkdir(parents=True)
    (folder / "metrics").mkdir()
    (model / "weights.safetensors").write_bytes(f"weights of {auroc}".encode())
    weights = sha256(model / "weights.safetensors")
    card = card_document(["benign", "malignant"]) | {"weights_sha256": weights, "shares": [1.0]}
    card.setdefault("architecture", {"name": "small"})
    write_sealed(model / "card.json", card)
    metrics = metrics_document(["benign", "malignant"])
    metrics["models"][CHOSEN]["test"]["auroc"] = {"value": auroc, "low": 0.6, "high": 0.9}
    metrics["hashes"]["models"][CHOSEN] = weights
    change(metrics)
    write_sealed(folder / "metrics/metrics.json", metrics)


def commit_run(folder: Path) -> None:
    """Record what is in the folder as the results of its stages, in DVC and in git."""
    with chdir(folder), Repo() as repo:
        repo.commit(force=True)
    git(folder, "add", "--all")
    git(folder, "commit", "-qm", "a run")


def run_again(
    folder: Path, auroc: float = 0.8, change: Callable[[dict], object] = unchanged
) -> None:
    """Another run with other results, committed."""
    write_results(folder, auroc, change)
    parameters = folder / "params.yaml"
    parameters.write_text(f"lambda: {float(parameters.read_text().split()[1]) + 0.01:.2f}\n")
    commit_run(folder)


def clone(origin: Path, folder: Path, *options: str) -> Path:
    """A clone with git's own files alone."""
    git(origin.parent, "clone", "-q", *options, str(origin), str(folder))
    return folder


def git(folder: Path, *words: str) -> str:
    command = ["git", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def tag(folder: Path, name: str, day: int, commit: str = "HEAD") -> None:
    """Make an annotated tag of a day in the past."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_COMMITTER_DATE", f"{1_700_000_000 + day * DAY_S} +0000")
        git(folder, "tag", "-am", name, name, f"{commit}^{{}}")


def tags(folder: Path) -> list[str]:
    """The annotated tags by name; there are no others."""
    lines = git(folder, "for-each-ref", "--format=%(objecttype) %(refname:lstrip=2)", "refs/tags")
    kinds = [line.partition(" ") for line in lines.splitlines()]
    assert {kind for kind, _, _ in kinds} <= {"tag"}
    return [name for _, _, name in kinds]


def graft(*words: str) -> CompletedProcess[str]:
    """Run `graft` with arguments in the working directory."""
    return run_module("graft", *words)


def refused(*words: str) -> str:
    """What a command prints to standard error when it refuses to work: one line."""
    done = graft(*words)
    assert done.returncode == 1, done.stdout
    assert done.stderr.count("\n") == 1
    return done.stderr.strip()


def done(*words: str) -> str:
    """What a command prints when it works."""
    ended = graft(*words)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout
