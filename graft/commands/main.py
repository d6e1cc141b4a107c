"""The command `graft` and the table of its commands.

A command is a module with a function `main`, whose annotations and docstring make its `--help`. It
imports everything but typer in this function, so that `graft --help` is fast.

Exit codes: 0; 1 if an input cannot be used, which one line on standard error explains; 2 if the
command is called wrongly.
"""

import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from graft.console import run_app, say

COMMANDS = {
    "adapt": "graft.commands.adapt",
    "drift": "graft.commands.drift",
    "export": "graft.commands.export",
    "federate": "graft.commands.federate",
    "forget": "graft.commands.forget",
    "log-mlflow": "graft.commands.log_mlflow",
    "predict": "graft.commands.predict",
    "promote": "graft.commands.promote",
    "rollback": "graft.commands.rollback",
    "serve": "graft.commands.serve",
    "show": "graft.commands.show",
    "versions": "graft.commands.versions",
}  # the module of each command
NAME = "graft"

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True)
for command_name, module in COMMANDS.items():
    command = import_module(module)
    if hasattr(command, "app"):  # of several commands
        app.add_typer(command.app, name=command_name)
    else:
        app.command(command_name)(command.main)


def _print_version(wanted: bool) -> None:
    if not wanted:
        return
    try:
        say(f"{NAME} {version(NAME)}")
    except PackageNotFoundError:
        say(f"{NAME}, not installed, in this folder")
    raise typer.Exit


@app.callback()
def about(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Use a trained model."""


def main() -> None:
    """Run the command."""
    run_app(app, sys.argv[1:], NAME)
