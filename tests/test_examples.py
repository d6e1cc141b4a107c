"""The examples: their parameters are complete, and one of them runs on a tiny cohort."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from graft.config.parameters import load_parameters
from tests.commands import run_module

ROOT = Path(__file__).parents[1]
CONFIGURATION = (
    ".dvc/config",
    ".dvc/.gitignore",
    ".dvcignore",
    ".gitignore",
    "dvc.yaml",
    "params.yaml",
    "data/phantom/dvc.yaml",
)
FILES = sorted((ROOT / "examples").glob("*/params.yaml"))
TINY = {
    "phantom": {"lung": {"patients": 24}, "liver": {"patients": 24}},
    "training": {"device": "cpu"},
    **{stage: {"epochs": 2} for stage in ("pretrain", "finetune", "regularize")},
    "ensemble": {"epochs": 1, "members": 2},
    "evaluate": {"resamples": 100},
}


def read_yaml(file: Path) -> dict:
    return YAML(typ="safe").load(file)


def key_paths(section: object, above: str = "") -> set[str]:
    """The keys of params.yaml down to the values; all domains count as one."""
    if not isinstance(section, dict):
        return {above}
    items = {"*": next(iter(section.values()))} if above == "domains" else section
    found = set()
    for name, value in items.items():
        found |= key_paths(value, f"{above}.{name}".strip("."))
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_the_parameters_of_an_example_are_complete_and_allowed(file):
    parameters = load_parameters(file)
    example = read_yaml(file)
    default = read_yaml(ROOT / "params.yaml")
    del example["phantom"]
    del default["phantom"]
    assert key_paths(example) == key_paths(default)  # DVC requires every key that a stage reads
    intensities = {domain.intensity for domain in parameters.domains.values()}
    assert intensities <= {"window", "percentile"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_the_file_of_an_example_starts_with_a_comment_that_describes_it(file):
    assert file.read_text().startswith("# ")
    assert file.read_text().endswith("\n")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_a_phantom_that_an_example_uses_is_generated(file):
    parameters = read_yaml(file)
    paths = [Path(domain["path"]) for domain in parameters["domains"].values()]
    organs = {path.name for path in paths if "phantom" in path.parts}
    assert organs <= set(parameters["phantom"])


def test_the_default_pipeline_generates_no_mr():
    assert set(read_yaml(ROOT / "params.yaml")["phantom"]) == {"lung", "liver"}


def command_output(folder: Path, *words: str, fails: bool = False) -> str:
    done = subprocess.run(
        words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert (done.returncode != 0) == fails, done.stdout
    return done.stdout


def run_example(folder: Path, *words: str, fails: bool = False) -> str:
    return command_output(folder, sys.executable, "-m", "examples", *words, fails=fails)


def test_examples_are_listed():
    lines = run_module("examples").stdout.splitlines()
    assert [line.split()[0] for line in lines] == [file.parent.name for file in FILES]


def test_an_unknown_example_is_reported_in_one_line():
    done = run_module("examples", "nope")
    assert done.returncode == 1
    names = "ct-to-mr, no-help, numpy, resnet18"
    assert done.stderr == f"error: examples: got 'nope', expected one of {names}\n"


def test_help_explains_the_argument():
    assert "The example to run" in run_module("examples", "--help").stdout


@pytest.fixture
def repository(tmp_path, monkeypatch) -> Path:
    """A repository with the committed code, in which the examples are tiny."""
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text("[user]\nname = graft\nemail = graft@example.org\n")
    for name in list(os.environ):
        if name.startswith(("GIT_", "DVC_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(home / "dvc"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    folder = tmp_path / "repository"
    copy_code(folder)
    for file in (folder / "examples").glob("*/params.yaml"):
        shrink(file)
    command_output(folder, "git", "init", "-q", "-b", "main")
    command_output(folder, "git", "add", "--all")
    command_output(folder, "git", "commit", "-qm", "tiny examples")
    return folder


def copy_code(folder: Path) -> None:
    for name in ("graft", "stages", "examples", ".dvc/plots"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in CONFIGURATION:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    (folder / "data/raw").mkdir()
    (folder / "data/raw/README.md").touch()


def shrink(file: Path) -> None:
    """Make an example small enough to run within a minute."""
    parameters = read_yaml(file)
    for section, values in TINY.items():
        for key, value in values.items():
            if section != "phantom" or key in parameters["phantom"]:
                parameters[section][key] = value
    YAML().dump(parameters, file)


def test_missing_data_is_reported_in_one_line_and_nothing_is_written(repository):
    printed = run_example(repository, "resnet18", fails=True)
    message = "is missing, expected your data as described in docs/data.md"
    assert printed == f"error: data/raw/liver_images: {message}\n"
    assert not (repository / ".graft").exists()


@pytest.mark.slow
def test_arrays_of_the_phantom_are_used_until_the_user_has_data(repository):
    printed = run_example(repository, "numpy")
    substitute = "is missing, so axial slices of the phantom's lung lesions stand in for it"
    assert f"data/raw/lung_arrays: {substitute}" in printed
    metrics = ".graft/examples/numpy/metrics/metrics.json"
    assert printed.endswith(f"numpy: done. The numbers are in {metrics}\n")
    workspace = repository / ".graft/examples/numpy"
    data = np.load(workspace / "data/raw/lung_arrays/data.npy")
    assert data.shape[1:] == (32, 32)
    assert data.min() == 0
    assert data.max() == 1
    counts = json.loads((repository / metrics).read_text())["target"]["counts"]
    assert counts["test"]["lesions"] > 0
    assert command_output(repository, "git", "status", "--porcelain") == ""
    assert not (workspace / ".dvc/cache").exists()  # the workspace uses the repository's cache

    own_data = repository / "data/raw/lung_arrays"
    shutil.copytree(workspace / "data/raw/lung_arrays", own_data)
    np.save(own_data / "data.npy", np.load(own_data / "data.npy")[:, ::-1])
    printed = run_example(repository, "numpy")
    assert "lung_arrays: is missing" not in printed
    assert "Running stage 'preprocess@lung'" in printed
    assert "Running stage 'preprocess@liver'" not in printed
    assert (workspace / "data/raw/lung_arrays").is_symlink()
    assert not own_data.is_symlink()
