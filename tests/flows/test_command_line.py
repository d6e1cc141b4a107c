"""The command lines of the flows."""

import pytest
import typer

from flows.command_line import parse_value, split_settings
from tests.commands import run_module


def test_settings_are_keys_and_values():
    assert split_settings(["lambda=0.1", "name=a=b"]) == {"lambda": "0.1", "name": "a=b"}
    assert split_settings(None) == {}


@pytest.mark.parametrize("word", ["lambda", "lambda=", "=0.1"])
def test_a_setting_of_another_form_is_an_error(word):
    with pytest.raises(typer.BadParameter, match=f"got '{word}', expected key=value"):
        split_settings([word])


@pytest.mark.parametrize(
    ("text", "value"), [("0.1", 0.1), ("null", None), ("[1, 2]", [1, 2]), ("sgd", "sgd")]
)
def test_a_value_is_json_or_text(text, value):
    assert parse_value(text) == value


@pytest.mark.parametrize(
    ("module", "options"),
    [
        ("flows.pipeline", ["-S", "--destination", "--remote", "STAGE"]),
        (
            "flows.sweep",
            ["-S", "--repository", "--remote", "--dask", "--scheduler", "--workers"],
        ),
        ("flows.slurm", []),
    ],
)
def test_help_lists_every_option(module, options):
    done = run_module(module, "--help")
    assert done.returncode == 0
    text = done.stdout
    assert f"Usage: python -m {module}" in text
    for option in options:
        assert option in text
