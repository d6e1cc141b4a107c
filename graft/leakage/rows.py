"""The rows of checks.json and of metrics.json: what was checked for a leak, and what was found."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from graft.common.documents import check_read, check_schema
from graft.common.files import REMEDY, InputError, read_sealed
from graft.common.shown import counted

SCHEMA = Path(__file__).with_name("checks.schema.json")
UNKNOWN_PATIENTS = "not known: the data does not say whose lesions these are"
LISTED = 5  # lesions that an error names

# The names of the checks within source and target, of each domain (candidates too), and across
# two domains, in the order of checks.json.
WITHIN = (
    "patients",
    "images",
    "given split",
    "external site",
    "classes",
    "drawn parts",
    "normalisation",
)
EACH = ("pseudonyms", "label columns")
ACROSS = ("channels", "patients across", "images across")

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


def across_names(source: str, target: str) -> str:
    """Return how the row of a check across two domains names them."""
    return f"{source} and {target}"


def read_checks(path: Path, source: str, target: str, candidates: Sequence[str]) -> list[CheckRow]:
    """Read the rows of checks.json.

    Args:
        path: the file.
        source: the name of the source.
        target: the name of the target.
        candidates: the names of further sources.

    Raises:
        InputError: if the file is missing or changed, if a check in it has not passed, or if one
            of the checks of these domains is not in it.
    """
    content = read_sealed(path)
    check_read(path, content, SCHEMA)
    rows = content["checks"]
    found = {(row["name"], row["domain"]) for row in rows}
    expected = [(name, domain) for domain in (source, target) for name in WITHIN]
    expected += [(name, domain) for domain in (source, target, *candidates) for name in EACH]
    others = [name for name in (source, *candidates) if name != target]
    expected += [(name, across_names(other, target)) for other in others for name in ACROSS]
    missing = [pair for pair in expected if pair not in found]
    if missing:
        (name, domain), *_ = missing
        raise InputError(
            f"{path}: lacks {counted(len(missing), 'check')} of {len(expected)}, the first is "
            f"{name!r} of {domain}, expected all of them passed; {REMEDY}"
        )
    return rows


def first_few(names: Iterable[str]) -> str:
    """List the first LISTED names, and how many more there are."""
    names = list(names)
    listed = ", ".join(names[:LISTED])
    more = len(names) - LISTED
    return f"{listed} and {more} more" if more > 0 else listed
