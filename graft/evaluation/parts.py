"""Entries of metrics.json that exist once for each test part."""

from collections.abc import Callable, Container
from typing import TypeVar

from graft.common.vocabulary import TESTS

Entry = TypeVar("Entry")


def by_test_part(
    available: Container[str],
    entry: Callable[[str], Entry],
) -> dict[str, Entry | None]:
    """Return the entry of each of TESTS, or None for a part that is not available."""
    return {part: entry(part) if part in available else None for part in TESTS}
