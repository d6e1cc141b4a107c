"""Where two sets of parameters differ."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


class Absent:
    """Stands for the value of a key that does not exist."""

    def __repr__(self) -> str:
        return "no value"


ABSENT = Absent()


@dataclass(frozen=True)
class Difference:
    """A dotted key at which two sets of parameters differ, and both values."""

    key: str
    first: Any
    second: Any


def differences(first: Any, second: Any, key: str = "") -> Iterator[Difference]:
    """Yield every place at which two values differ; mappings are compared key by key.

    Args:
        first: a value, or parameters as nested mappings.
        second: the same.
        key: the dotted key of both.
    """
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        for name in dict.fromkeys([*first, *second]):
            inner = f"{key}.{name}" if key else str(name)
            yield from differences(first.get(name, ABSENT), second.get(name, ABSENT), inner)
    elif first != second:
        yield Difference(key, first, second)
