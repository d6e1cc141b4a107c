import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from typer.testing import CliRunner

from graft.commands.main import COMMANDS, app

ROOT = Path(__file__).parents[3]
SLOW = ("torch", "numpy", "pandas", "pydantic", "matplotlib")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_help(name):
    found = CliRunner().invoke(app, [name, "--help"])
    assert found.exit_code == 0
    assert import_module(COMMANDS[name]).main.__doc__.splitlines()[0].split()[0] in found.output


def test_the_commands_are_in_alphabetical_order():
    assert list(COMMANDS) == sorted(COMMANDS)


def test_a_word_that_is_no_command_is_wrong_usage():
    found = CliRunner().invoke(app, ["diagnose"])
    assert found.exit_code == 2
    assert "No such command 'diagnose'" in found.output


def test_help_imports_nothing_slow():
    code = (
        "import sys; from graft.commands.main import app; "
        f"print([name for name in {SLOW} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert found.stdout == "[]\n"


def test_the_version_and_completion_are_options():
    version = CliRunner().invoke(app, ["--version"])
    assert version.output.startswith("graft")
    assert "--install-completion" in CliRunner().invoke(app, ["--help"]).output
