"""A repository under git and DVC with a finished run, made once and copied by each test."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from dvc.repo import Repo

from tests.graft.registry.project import DVC_YAML, commit_run, git, write_results

HIDDEN = ("GIT_", "DVC_", "XDG_", "GTO_")


@pytest.fixture(scope="session", autouse=True)
def _home(tmp_path_factory) -> Iterator[None]:
    """An empty home folder, so that no setting of this user counts."""
    home = tmp_path_factory.mktemp("home")
    (home / ".gitconfig").write_text(
        "[user]\nname = graft\nemail = graft@example.org\n[init]\ndefaultBranch = main\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(HIDDEN)]:
            patch.delenv(name)
        patch.setenv("HOME", str(home))
        patch.setenv("DVC_SITE_CACHE_DIR", str(home / "dvc"))
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        yield


@pytest.fixture(scope="session")
def template(tmp_path_factory, _home) -> Path:
    folder = tmp_path_factory.mktemp("registry") / "project"
    folder.mkdir()
    git(folder, "init", "-q")
    Repo.init(str(folder)).close()
    (folder / "dvc.yaml").write_text(DVC_YAML)
    (folder / "params.yaml").write_text("lambda: 0.01\n")
    (folder / ".gitignore").write_text("/metrics/*\n/models/*\n/data/*\n")
    (folder / "data").mkdir()
    (folder / "data/raw.txt").write_text("raw")
    (folder / "data/split.txt").write_text("split")
    write_results(folder)
    commit_run(folder)
    return folder


@pytest.fixture
def project(template, tmp_path, monkeypatch) -> Path:
    """A copy, which is the working directory."""
    folder = shutil.copytree(template, tmp_path / "project")
    monkeypatch.chdir(folder)
    return folder
