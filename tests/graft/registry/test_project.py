"""Repositories that no registry can be in."""

import pytest
from dvc.repo import Repo

from graft.common.files import InputError
from graft.registry import check_installed
from tests.graft.registry.project import clone, git, refused

COMMANDS = [("promote", "--version", "v1.0.0"), ("rollback", "production"), ("versions",)]


def test_a_shallow_clone_is_refused(project, tmp_path, monkeypatch):
    git(project, "commit", "-q", "--allow-empty", "-m", "next")
    here = clone(project, tmp_path / "clone", "--depth=1", "--no-local")
    monkeypatch.chdir(here)
    for words in COMMANDS:
        assert "this clone is shallow and may lack versions" in refused(*words)


def test_a_folder_without_dvc_or_git_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words in COMMANDS:
        assert "not inside of a DVC repository" in refused(*words)
    Repo.init(str(tmp_path), no_scm=True).close()
    for words in COMMANDS:
        assert "this DVC project is not under git" in refused(*words)


def test_a_repository_without_a_commit_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    git(tmp_path, "init", "-q")
    Repo.init(str(tmp_path)).close()
    assert "this repository has no commit" in refused("promote")


def test_a_project_must_name_the_artifact(project):
    content = (project / "dvc.yaml").read_text()
    (project / "dvc.yaml").write_text(content.partition("artifacts:")[0])
    assert "dvc.yaml: names no artifact, expected `artifacts:`" in refused("versions")
    (project / "dvc.yaml").write_text(content + "  other: {path: models/best}\n")
    assert "--artifact: is not given, expected one of diagnosis, other" in refused("versions")


def test_a_missing_library_names_the_extra():
    with pytest.raises(InputError, match="needs no_such_library, .* the extra `registry`"):
        check_installed(["dvc", "no_such_library"])
