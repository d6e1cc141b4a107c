"""The order of versions and stages, from tags of git."""

from pathlib import Path

import pytest
from scmrepo.git import Git

from graft.common.files import InputError
from graft.registry.history import next_version, read_history
from tests.graft.registry.project import git, tag


@pytest.fixture
def repository(tmp_path) -> Path:
    git(tmp_path, "init", "-q")
    return tmp_path


def versions(folder: Path, count: int) -> None:
    """Versions v1.0.0, v1.1.0, … of as many commits."""
    for number in range(count):
        git(folder, "commit", "-q", "--allow-empty", "-m", str(number))
        tag(folder, f"model@v1.{number}.0", number)


def production(folder: Path) -> list[str]:
    history = read_history(Git(str(folder)), "model")
    return [version.name for version in history.stages.get("production", ())]


def test_a_stage_goes_through_versions_and_back(repository):
    versions(repository, 3)
    for day, number in enumerate([0, 1, 2], start=10):
        tag(repository, f"model#production#{day - 9}", day, f"model@v1.{number}.0")
    assert production(repository) == ["v1.0.0", "v1.1.0", "v1.2.0"]
    tag(repository, "model#production#4", 14, "model@v1.1.0")
    assert production(repository) == ["v1.0.0", "v1.1.0"]
    tag(repository, "model#production#5", 15, "model@v1.2.0")
    tag(repository, "model#production!#6", 16, "model@v1.1.0")
    assert production(repository) == ["v1.0.0", "v1.2.0"]


def test_of_two_tags_of_one_second_the_higher_number_is_newer(repository):
    versions(repository, 2)
    tag(repository, "model#production#10", 5, "model@v1.0.0")
    tag(repository, "model#production#9", 5, "model@v1.1.0")
    assert production(repository) == ["v1.1.0", "v1.0.0"]


def test_deregistered_versions_and_other_tags_do_not_count(repository):
    versions(repository, 2)
    tag(repository, "model#production#1", 4, "model@v1.0.0")
    tag(repository, "model#production#2", 5, "model@v1.1.0")
    tag(repository, "model@v1.1.0!", 6, "model@v1.1.0")
    tag(repository, "other@v3.0.0", 7)
    tag(repository, "release", 8)
    git(repository, "tag", "model@v9.0.0")  # not annotated
    history = read_history(Git(str(repository)), "model")
    assert [version.name for version in history.versions] == ["v1.0.0"]
    assert production(repository) == ["v1.0.0"]


def test_versions_are_ordered_as_numbers(repository):
    for day, name in enumerate(["v1.10.0", "v1.9.0", "v1.10.0-rc.1", "v1.2.0"]):
        git(repository, "commit", "-q", "--allow-empty", "-m", name)
        tag(repository, f"model@{name}", day)
    history = read_history(Git(str(repository)), "model")
    names = [version.name for version in history.versions]
    assert names == ["v1.10.0", "v1.10.0-rc.1", "v1.9.0", "v1.2.0"]
    assert next_version(history, None, None) == "v1.10.1"
    with pytest.raises(InputError, match="got v1.9.5, expected one above v1.10.0, the highest"):
        next_version(history, "v1.9.5", None)
