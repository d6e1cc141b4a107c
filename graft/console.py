"""What a person sees: plain lines, and one line for an error."""

import inspect
import itertools
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from graft.common.files import InputError


def say(text: str) -> None:
    """Print one line at once, so that logs show it while the stage still runs."""
    print(text, flush=True)


@contextmanager
def silence() -> Iterator[None]:
    """Keep readers from printing on standard error, as ITK and codecs do from below Python before they raise."""
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
    """Yield a function that shows a row of training: as a bar on a terminal, as a line elsewhere."""
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
def counting(name: str, total: int, unit: str) -> Iterator[Callable[[str], None]]:
    """Yield a function that shows one more of `total` units as done: as a bar on a terminal, as a line elsewhere."""
    done = itertools.count(1)
    if not sys.stderr.isatty():
        yield lambda what: say(f"{name}: {unit} {next(done)}/{total}  {what}")
        return
    from tqdm import tqdm

    with tqdm(total=total, desc=name, unit=unit) as bar:

        def show(what: str) -> None:
            bar.update()
            bar.set_postfix_str(what)

        yield show


def _losses(row: dict[str, float]) -> str:
    return "  ".join(
        f"{name.replace('_', ' ')} {value:.4f}" for name, value in row.items() if name != "epoch"
    )


def one_of(what: str, word: str, words: Iterable[str]) -> None:
    """Raise InputError where a word of the command line is none of `words`."""
    if word not in words:
        raise InputError(f"{what}: got {word!r}, expected one of {', '.join(words)}")


def run(main: Callable[..., None]) -> None:
    """Call a stage's `main` with the command line's words; an unusable input becomes one line and exit 1."""
    words, signature = sys.argv[1:], inspect.signature(main)
    try:
        signature.bind(*words)
    except TypeError as error:
        sys.exit(
            f"error: {error}, got {words}, expected {', '.join(signature.parameters) or 'no words'}"
        )
    try:
        main(*words)
    except InputError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: {error.filename or 'the file system'}: {error.strerror or error.args[0]}")
    except KeyboardInterrupt:
        sys.exit("interrupted")
