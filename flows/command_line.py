"""What the command lines of the flows have in common."""

import json
import signal
import sys
from collections.abc import Callable, Sequence

import typer
from prefect.client.schemas.objects import State


def run_command_line(main: Callable[..., None]) -> None:
    """Run a function whose annotated arguments are the options of the command line.

    A signal that asks the process to end makes it exit, so that it stops Prefect's temporary
    server. Without a handler it would end at once and leave the server running.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:  # `nohup` ignores SIGHUP
            signal.signal(number, _exit)
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command()(main)
    app()


def _exit(number: int, _frame: object) -> None:
    sys.exit(128 + number)


def split_settings(words: Sequence[str] | None) -> dict[str, str]:
    """Return the keys and values of words such as `lambda=0.1`.

    Raises:
        typer.BadParameter: if a word has another form; typer exits with status 2.
    """
    settings = {}
    for word in words or []:
        key, equals, value = word.partition("=")
        if not (key and equals and value):
            raise typer.BadParameter(f"got {word!r}, expected key=value", param_hint="-S")
        settings[key] = value
    return settings


def parse_value(text: str) -> object:
    """Return a value parsed as JSON, or the text itself if it is not JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def exit_with_state(state: State) -> None:
    """End the process with status 0 if the flow completed, else with an error message and 1."""
    sys.exit(0 if state.is_completed() else f"error: {state.message}")
