"""The rows of checks.json and of metrics.json: what was checked for a leak, and what was found."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from graft.common.documents import check_schema

SCHEMA = Path(__file__).with_name("checks.schema.json")
UNKNOWN_PATIENTS = "not known: the data does not say whose lesions these are"
LISTED = 5  # lesions that an error names

CheckRow = dict[str, str | bool]


def passed_check(name: str, domain: str, looked_at: str, found: str) -> CheckRow:
    """Return the row of a check that found no fault. A fault raises InputError and has no row."""
    return {"name": name, "domain": domain, "looked_at": looked_at, "found": found, "passed": True}


def checks_document(rows: Sequence[CheckRow]) -> dict:
    """Return the content of checks.json.

    Raises:
        jsonschema.ValidationError: if it breaks its schema, which is a fault in graft.
    """
    content = {"checks": list(rows)}
    check_schema(content, SCHEMA)
    return content


def counted(number: int, noun: str) -> str:
    """Return `1 lesion`, `2 lesions`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def first_few(names: Iterable[str]) -> str:
    """List the first LISTED names, and how many more there are."""
    names = list(names)
    listed = ", ".join(names[:LISTED])
    more = len(names) - LISTED
    return f"{listed} and {more} more" if more > 0 else listed
