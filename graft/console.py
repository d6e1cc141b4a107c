"""What users see: plain lines, progress, and one line for an error."""

import functools
import itertools
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from graft.common.files import InputError
from graft.common.secret_variables import redact
from graft.common.unchanged import unchanged_parameters

LINE_EVERY_S = 10.0  # between two lines of progress


def say(text: str) -> None:
    """Print one line and flush it, so that logs show it while the stage still runs."""
    print(text, flush=True)


@contextmanager
def silence() -> Iterator[None]:
    """Discard what libraries print to standard error below Python, as ITK and codecs do."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@contextmanager
def progress(name: str, epochs: int) -> Iterator[Callable[[dict[str, float]], None]]:
    """Yield a function that shows one epoch: in a bar on a terminal, as a line elsewhere."""
    if not sys.stderr.isatty():
        yield lambda row: say(f"{name}: epoch {row['epoch']}/{epochs}  {_losses(row)}")
        return
    from tqdm import tqdm

    with tqdm(total=epochs, desc=name, unit="epoch") as bar:

        def show(row: dict[str, float]) -> None:
            bar.update(row["epoch"] - bar.n)
            bar.set_postfix_str(_losses(row))

        yield show


@contextmanager
def counting(
    name: str, total: int, unit: str, finished: int = 0
) -> Iterator[Callable[[str], None]]:
    """Yield a function that counts one of `total` units, in a bar or as a line.

    Both show about how long the others will take. The `finished` ones took no time.
    """
    if not sys.stderr.isatty():
        count = itertools.count(finished + 1)
        began = time.monotonic()

        def show_line(what: str) -> None:
            done = next(count)
            seconds_each = (time.monotonic() - began) / (done - finished)
            left = f", about {_duration(seconds_each * (total - done))} left"
            say(f"{name}: {unit} {done}/{total}  {what}{left if done < total else ''}")

        yield show_line
        return
    from tqdm import tqdm

    with tqdm(total=total, initial=finished, desc=name, unit=unit) as bar:

        def show(what: str) -> None:
            bar.update()
            bar.set_postfix_str(what)

        yield show


def _duration(seconds: float) -> str:
    """A duration in the unit that suits it."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


@contextmanager
def countdown(name: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    """Yield a function to call whenever one of `total` units is finished, with its number.

    The remaining time is in a bar on a terminal, and in a line every LINE_EVERY_S elsewhere.
    """
    if sys.stderr.isatty():
        from tqdm import tqdm

        with tqdm(total=total, desc=name, unit=unit) as bar:
            yield lambda number: bar.update() and None
        return
    count = itertools.count(1)
    began = shown = time.monotonic()

    def show(number: int) -> None:
        nonlocal shown
        done = next(count)
        now = time.monotonic()
        if done < total and now - shown < LINE_EVERY_S:
            return
        shown = now
        left = _duration((now - began) / done * (total - done))
        say(f"{name}: {unit} {done}/{total}, about {left} left")

    yield show


def _losses(row: dict[str, float]) -> str:
    shown = []
    for name, value in row.items():
        if name != "epoch":
            shown.append(f"{name.replace('_', ' ')} {value:.4f}")
    return "  ".join(shown)


def run(main: Callable[..., None]) -> None:
    """Run a function as a command, whose annotations and docstring make its `--help`.

    An input that cannot be used becomes one line on standard error and exit code 1. So does a
    parameter that changed in its file after it was read.
    """
    import typer  # late: a stage that is imported needs no command line

    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

    @functools.wraps(main)
    def checked(*arguments: Any, **options: Any) -> None:
        with unchanged_parameters():
            main(*arguments, **options)

    app.command()(checked)
    run_app(app, _with_key(sys.argv[1:]))


def run_app(app: Callable[..., object], words: list[str], name: str | None = None) -> None:
    """Run a command line with these words.

    An input that cannot be used, and a fault of the file system, become one line on standard error
    and exit code 1.

    Args:
        app: of typer.
        words: after the name of the command.
        name: of the command in its help; by default that of the script.
    """
    try:
        app(words, prog_name=name)
    except InputError as error:
        sys.exit(redact(f"error: {error}"))
    except OSError as error:
        reason = error.strerror or error.args[0]
        sys.exit(f"error: {error.filename or 'the file system'}: {reason}")


def _with_key(words: list[str]) -> list[str]:
    """Replace the address of a stage by its key: `preprocess@lung` by `lung`.

    DVC passes the address in the variable DVC_STAGE. A command with `${key}` would be parsed by a
    shell, with whatever the key contains.
    """
    address = os.environ.get("DVC_STAGE")
    return [word.rpartition("@")[2] if word == address else word for word in words]
