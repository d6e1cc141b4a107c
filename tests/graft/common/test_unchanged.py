"""A parameter that changes in its file after it was read."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import Field

from graft.common.files import InputError
from graft.common.parameters import Section, read_parameters
from graft.common.unchanged import unchanged_parameters
from graft.console import run

PARAMETERS = "source: lung\nseed: 1\ndomains:\n  lung: {path: a, classes: [x, y]}\n  liver: {}\n"


class Domain(Section):
    path: str


class Reader(Section):
    source: str
    domain: Domain = Field(alias="domains.${source}")


@pytest.fixture
def path(tmp_path) -> Path:
    path = tmp_path / "params.yaml"
    path.write_text(PARAMETERS)
    return path


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "path: a",
            "path: b",
            "lung.path: this run used 'a', but the file has 'b' now; run it aga",
        ),
        ("path: a, ", "", "lung.path: this run used 'a', but the file has no value now"),
        ("source: lung", "source: liver", "source: this run used 'lung', but the file has 'liver'"),
        (
            "source: lung",
            "sauce: lung",
            "'source' is missing, .*changed during this run, so run it",
        ),
        ("source: lung", "source: [", "is not YAML .*changed during this run, so run it again"),
        (
            "path: a",
            "path: '${x}'",
            "expected a value without .*changed during this run, so run it",
        ),
    ],
)
def test_a_change_of_a_parameter_that_was_read_is_an_error(path, old, new, message):
    with pytest.raises(InputError, match=message) as refused, unchanged_parameters():
        read_parameters(Reader, path)
        path.write_text(PARAMETERS.replace(old, new))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new"),
    [("seed: 1", "seed: 2"), ("[x, y]", "[z]"), ("liver: {}", ""), ("source:", "# why\nsource:")],
)
def test_a_change_of_anything_else_is_allowed(path, old, new):
    with unchanged_parameters():
        read_parameters(Reader, path)
        path.write_text(PARAMETERS.replace(old, new))


def test_an_error_of_the_block_is_the_one_that_is_reported(path):
    with pytest.raises(InputError, match="^of the block$"), unchanged_parameters():
        read_parameters(Reader, path)
        path.unlink()
        raise InputError("of the block")


def test_without_a_block_nothing_is_remembered(path):
    read_parameters(Reader, path)
    path.unlink()
    with unchanged_parameters():
        pass


def ended(main: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> object:
    """How a command with one argument ended: its exit code or its message."""
    monkeypatch.setattr("sys.argv", ["command", "lung"])
    with pytest.raises(SystemExit) as exited:
        run(main)
    return exited.value.code


def test_a_command_checks_at_its_end_and_shows_no_secret(path, monkeypatch):
    def main(name: str) -> None:
        read_parameters(Reader, path)
        path.write_text(PARAMETERS.replace("path: a", f"path: {name}"))

    expected = f"error: {path}: domains.lung.path: this run used 'a', but the file has 'lung' now"
    assert str(ended(main, monkeypatch)).startswith(expected)
    path.write_text(PARAMETERS)
    monkeypatch.setenv("MY_TOKEN", "b-secret")
    monkeypatch.setattr("sys.argv", ["command", "b-secret"])
    with pytest.raises(SystemExit) as exited:
        run(main)
    assert "b-secret" not in str(exited.value.code)
    assert "contains the secret value of MY_TOKEN" in str(exited.value.code)


def test_a_command_that_reads_what_stays_ends_well(path, monkeypatch):
    def main(name: str) -> None:
        read_parameters(Reader, path)

    assert ended(main, monkeypatch) == 0
