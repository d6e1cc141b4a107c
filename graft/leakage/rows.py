"""What was looked at for a leak, and what was found: the rows of checks.json and of metrics.json."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from graft.common.documents import check_schema

SCHEMA = Path(__file__).with_name("checks.schema.json")
LISTED = 5  # lesions that an error names

Row = dict[str, str | bool]


def passed(name: str, domain: str, looked_at: str, found: str) -> Row:
    """A row about something that is as it should be. What is not raises InputError, so no row says otherwise."""
    return {"name": name, "domain": domain, "looked_at": looked_at, "found": found, "passed": True}


def checks_document(rows: Sequence[Row]) -> dict:
    """The whole of checks.json, held against its schema; jsonschema.ValidationError is a fault in graft."""
    content = {"checks": list(rows)}
    check_schema(content, SCHEMA)
    return content


def count(number: int, what: str) -> str:
    """`1 lesion`, `2 lesions`."""
    return f"{number} {what}" + ("" if number == 1 else "s")


def first(names: Iterable[str]) -> str:
    """The first few of some names, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
