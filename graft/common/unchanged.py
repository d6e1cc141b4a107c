"""A command fails if a parameter that it read has another value in the file when it ends.

DVC records the parameters of a stage after its command has ended. If somebody changed the file
meanwhile, DVC would record values that the stage did not use, and never run it again.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graft.common.differences import differences
from graft.common.files import InputError
from graft.common.shown import shown


@dataclass(frozen=True)
class Reading:
    """What a command read from a parameter file, and how to read it again."""

    path: Path
    values: Mapping[str, Any]
    read_again: Callable[[], Mapping[str, Any]]


_readings: ContextVar[list[Reading] | None] = ContextVar("readings", default=None)


def remember(reading: Reading) -> None:
    """Have the surrounding `unchanged_parameters`, if there is one, check these values."""
    readings = _readings.get()
    if readings is not None:
        readings.append(reading)


@contextmanager
def unchanged_parameters() -> Iterator[None]:
    """Check after the block that all parameters that were read in it still have their values.

    Raises:
        InputError: if one of them changed. The message has the file, the key and both values.
    """
    readings: list[Reading] = []
    token = _readings.set(readings)
    try:
        yield
    finally:
        _readings.reset(token)
    for reading in readings:
        _check(reading)


def _check(reading: Reading) -> None:
    try:
        now = reading.read_again()
    except InputError as error:
        raise InputError(f"{error}; it was changed during this run, so run it again") from error
    for found in differences(reading.values, now):
        raise InputError(
            f"{reading.path}: {found.key}: this run used {shown(found.first)}, but the file has "
            f"{shown(found.second)} now; run it again"
        )
