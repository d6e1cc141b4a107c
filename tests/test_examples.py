"""The examples: what they ask of the pipeline is there, and one of them runs, on a cohort to learn in seconds."""

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

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "examples").glob("*/params.yaml"))
TINY = {
    "phantom": {"lung": {"patients": 24}, "liver": {"patients": 24}},
    "training": {"device": "cpu"},
    **{stage: {"epochs": 2} for stage in ("pretrain", "finetune", "regularize")},
    "ensemble": {"epochs": 1, "members": 2},
    "evaluate": {"resamples": 100},
}


def content(file: Path) -> dict:
    return YAML(typ="safe").load(file)


def keys(section: object, above: str = "") -> set[str]:
    """The keys of params.yaml down to the values; those of each domain count once."""
    if not isinstance(section, dict):
        return {above}
    names = {"*": next(iter(section.values()))} if above == "domains" else section
    return set().union(
        *(keys(value, f"{above}.{name}".strip(".")) for name, value in names.items())
    )


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_the_params_of_an_example_are_whole_and_allowed(file):
    checked, found, ours = load_parameters(file), content(file), content(ROOT / "params.yaml")
    found.pop("phantom"), ours.pop("phantom")
    assert keys(found) == keys(ours)  # DVC wants every key that a stage reads
    assert {domain.intensity for domain in checked.domains.values()} <= {"window", "percentile"}
    assert file.read_text().startswith("# ") and file.read_text().endswith("\n")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_a_phantom_that_an_example_points_at_is_made(file):
    found = content(file)
    organs = {
        Path(domain["path"]).name
        for domain in found["domains"].values()
        if "phantom" in domain["path"]
    }
    assert organs <= set(found["phantom"])


def test_the_pipeline_itself_makes_no_mr():
    assert set(content(ROOT / "params.yaml")["phantom"]) == {"lung", "liver"}


def typed(folder: Path, *words: str, fails: bool = False) -> str:
    done = subprocess.run(
        words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert (done.returncode != 0) == fails, done.stdout
    return done.stdout


def test_examples_are_listed_and_wrong_words_are_one_line():
    listed = typed(ROOT, sys.executable, "-m", "examples").splitlines()
    assert [line.split()[0] for line in listed] == [file.parent.name for file in FILES]
    told = typed(ROOT, sys.executable, "-m", "examples", "nope", fails=True)
    assert told == "error: examples: got 'nope', expected one of ct-to-mr, numpy, resnet18\n"


@pytest.fixture
def repository(tmp_path, monkeypatch) -> Path:
    """A repository of the code, committed, whose examples are tiny."""
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text("[user]\nname = graft\nemail = graft@example.org\n")
    for name in [name for name in os.environ if name.startswith(("GIT_", "DVC_", "XDG_"))]:
        monkeypatch.delenv(name)
    for name, value in {
        "HOME": str(home),
        "DVC_SITE_CACHE_DIR": str(home / "dvc"),
        "OMP_NUM_THREADS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "repository"
    for name in ("graft", "stages", "examples", ".dvc/plots"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (
        ".dvc/config",
        ".dvc/.gitignore",
        ".dvcignore",
        ".gitignore",
        "dvc.yaml",
        "data/phantom/dvc.yaml",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    shutil.copy(ROOT / "params.yaml", folder)
    (folder / "data/raw").mkdir()
    (folder / "data/raw/README.md").touch()
    for file in (folder / "examples").glob("*/params.yaml"):
        found = content(file)
        for section, values in TINY.items():
            asked = {
                key: value
                for key, value in values.items()
                if section != "phantom" or key in found["phantom"]
            }
            found[section] |= asked
        YAML().dump(found, file)
    for words in (
        ["init", "-q", "-b", "main"],
        ["add", "--all"],
        ["commit", "-qm", "tiny examples"],
    ):
        typed(folder, "git", *words)
    return folder


def test_data_that_is_missing_is_one_line_and_nothing_is_made(repository):
    told = typed(repository, sys.executable, "-m", "examples", "resnet18", fails=True)
    assert (
        told
        == "error: data/raw/liver_images: is missing, expected your data, as docs/data.md says\n"
    )
    assert not (repository / ".graft").exists()


@pytest.mark.slow
def test_arrays_stand_in_until_the_users_own_are_there(repository):
    told = typed(repository, sys.executable, "-m", "examples", "numpy")
    assert (
        "data/raw/lung_arrays: is not there, so axial slices of the phantom's lung lesions stand in for it"
        in told
    )
    assert told.endswith(
        "numpy: done. The numbers are in .graft/examples/numpy/metrics/metrics.json\n"
    )
    workspace = repository / ".graft/examples/numpy"
    data = np.load(workspace / "data/raw/lung_arrays/data.npy")
    assert data.shape[1:] == (32, 32) and (data.min(), data.max()) == (0, 1)
    before = json.loads((workspace / "metrics/metrics.json").read_text())
    assert before["target"]["counts"]["test"]["lesions"] > 0
    assert typed(repository, "git", "status", "--porcelain") == ""
    assert not (workspace / ".dvc/cache").exists()  # it is the repository's own

    yours = repository / "data/raw/lung_arrays"
    shutil.copytree(workspace / "data/raw/lung_arrays", yours)
    np.save(yours / "data.npy", np.load(yours / "data.npy")[:, ::-1])
    told = typed(repository, sys.executable, "-m", "examples", "numpy")
    assert "lung_arrays: is not there" not in told and "Running stage 'preprocess@lung'" in told
    assert "Running stage 'preprocess@liver'" not in told
    assert (workspace / "data/raw/lung_arrays").is_symlink() and not yours.is_symlink()
