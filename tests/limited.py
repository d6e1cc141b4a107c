"""Work in a process of its own, with little memory and time."""

import resource
import traceback
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from graft.common.files import InputError

SECONDS = 20
MEMORY = 1 << 30  # bytes that the work may reserve


def run_limited(work: Callable[[], object], memory: int = MEMORY, seconds: float = SECONDS) -> str:
    """The outcome: `done`, the message of an InputError, a traceback, `hang` or `crash`."""
    context = get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(work, memory, theirs))
    process.start()
    theirs.close()
    try:
        return ours.recv() if ours.poll(seconds) else "hang"
    except EOFError:
        return "crash"
    finally:
        process.kill()
        process.join()


def _work(work: Callable[[], object], memory: int, outcome: Connection) -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    reserved = pages * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (reserved + memory, reserved + memory))
    try:
        work()
        outcome.send("done")
    except InputError as error:
        outcome.send(str(error))
    except BaseException:
        outcome.send(traceback.format_exc())
