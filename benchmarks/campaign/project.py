"""A finished tiny run of the pipeline, which every attempt gets a copy of."""

import hashlib
import importlib
import io
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from benchmarks.campaign.attempts import run_step
from benchmarks.campaign.steps import OUTPUTS, dvc_name, stage_step

ROOT = Path(__file__).parents[2]
# One thread, a key for pseudonyms, and no connections.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "GRAFT_PATIENT_KEY": "a key of the campaign, which protects nobody",
    "DVC_NO_ANALYTICS": "1",
    "HF_HUB_OFFLINE": "1",
}
CODE = ("graft", "stages", ".dvc/plots")
FILES = (
    "dvc.yaml",
    "params.yaml",
    "data/phantom/dvc.yaml",
    "metrics/dvc.yaml",
    ".dvc/config",
    ".dvc/.gitignore",
    ".dvcignore",
    ".gitignore",
)
TINY: dict[str, Any] = {
    "phantom.lung.patients": 16,
    "phantom.liver.patients": 20,
    "domains.liver.path": "data/raw/liver",
    "domains.liver.covariates": {"marker": "number"},
    "domains.liver.split.test": 0.4,
    "domains.liver.split.validation": 0.2,
    "domains.liver.split.labelled": 1.0,
    "preprocess.patch": [8, 8, 8],
    "preprocess.spacing": [4.0, 4.0, 4.0],
    "training.device": "cpu",
    "self_supervise.epochs": 2,
    "self_supervise.domains": "source",  # as folds test the target
    "pretrain.epochs": 3,
    "finetune.epochs": 3,
    "regularize.epochs": 2,
    "ensemble.epochs": 2,
    "ensemble.members": 2,
    "learning_curve.shares": [0.5],
    "learning_curve.draws": 1,
    "cross_validation.folds": 2,
    "cross_validation.repeats": 1,
    "explain.cases": 2,
    "evaluate.resamples": 100,
}
# Libraries that stages import late.
LATE = (
    "dvclive",
    "jinja2",
    "jsonschema",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "matplotlib.figure",
    "matplotlib.pyplot",
    "monai.networks.nets",
    "nibabel",
    "pydicom",
    "scipy.stats",
    "SimpleITK",
    "sklearn.linear_model",
    "sklearn.metrics",
)
COPIED = ("data", "models", "metrics", ".graft", "params.yaml", "dvc.lock", "dvc.yaml")

AUTHOR = ("-c", "user.name=campaign", "-c", "user.email=campaign@localhost")
COMMIT = (  # DVCLive needs a commit
    ("git", "init", "-q"),
    ("git", *AUTHOR, "commit", "-q", "--allow-empty", "-m", "A tiny run"),
)


def prepare(folder: Path) -> Path:
    """Write a project, run all of its stages, and return its folder.

    Raises:
        RuntimeError: if a stage fails.
    """
    project = write_project(folder, TINY["phantom.lung.patients"], TINY["phantom.liver.patients"])
    import_stages(list(OUTPUTS))
    for name in LATE:
        importlib.import_module(name)
    run_all(project)
    return project


def write_project(folder: Path, lungs: int, livers: int) -> Path:
    """Write the code and raw data of a project with some patients, and return its folder."""
    from benchmarks.campaign.raw import write_liver, write_lung

    project = folder / "project"
    for name in CODE:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, project / name, ignore=ignored)
    for name in FILES:
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, project / name)
    change_parameters(project / "params.yaml", TINY)
    write_lung(project / "data/phantom/lung", lungs)
    write_liver(project / "data/raw/liver", livers)
    return project


def run_all(project: Path) -> None:
    """Run all stages without DVC, and record their results, which the report reads."""
    lines = [line for line in OUTPUTS if line != "report"]
    run_stages(project, lines)
    record(project, lines)
    run_stages(project, ["report"])


def run_stages(project: Path, lines: Sequence[str]) -> None:
    """Run some stages without DVC.

    Raises:
        RuntimeError: if one fails.
    """

    def run_everything() -> None:
        _keep_checkpoints()
        for line in lines:
            try:
                stage_step(line)()
            except SystemExit as end:
                if end.code:
                    raise

    ended = run_step(run_everything, project, seconds=600, patience=3600)
    if ended.code:
        raise RuntimeError(f"the tiny run failed: {ended.err}")


def record(project: Path, lines: Sequence[str]) -> None:
    """Record the results of stages in dvc.lock, without running them."""
    if not (project / ".git").exists():
        for command in COMMIT:
            subprocess.run(command, cwd=project, check=True, capture_output=True)
    names = ["data/phantom/dvc.yaml:phantom@lung", *(dvc_name(line) for line in lines)]
    command = ["dvc", "commit", "--quiet", "--force", *names]
    subprocess.run(command, cwd=project, check=True, capture_output=True)


def import_stages(lines: Sequence[str]) -> None:
    """Import some stages once, so that no forked step has to."""
    import torch

    torch.set_num_threads(1)
    for line in lines:
        importlib.import_module(f"stages.{line.split()[0]}")


def _keep_checkpoints() -> None:
    """Keep the checkpoints of finished trainings, so that attempts can damage them."""
    from graft.repeated import trainings
    from graft.training import checkpoint, fitting

    checkpoint.SAVE_EVERY_S = 0.0
    fitting.clear_checkpoints = trainings.clear_checkpoints = lambda folder: None


def change_parameters(path: Path, changes: Mapping[str, object]) -> None:
    """Set keys such as `training.batch` in a parameter file."""
    yaml = YAML()
    content = yaml.load(path)
    for place, value in changes.items():
        *sections, key = place.split(".")
        inner = content
        for section in sections:
            inner = inner[section]
        inner[key] = value
    text = io.StringIO()
    yaml.dump(content, text)
    path.write_text(text.getvalue())


def copy_project(project: Path, folder: Path) -> Path:
    """Copy the data and results of a project, without its code and the cache of DVC."""
    copy = folder / "copy"
    copy.mkdir(parents=True)
    for name in COPIED:
        source = project / name
        if source.is_dir():
            shutil.copytree(source, copy / name, symlinks=True)
        elif source.exists():
            shutil.copy(source, copy / name)
    return copy


def digests(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """SHA-256 of every file at or below some paths of a folder."""
    found = {}
    for name in names:
        top = folder / name
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file():
                key = path.relative_to(folder).as_posix()
                found[key] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found
