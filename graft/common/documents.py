"""JSON documents: rounded, and checked against the schema beside the code that writes them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import numpy as np

from graft.common.files import REMEDY, InputError, read_json
from graft.common.shown import one_line

DECIMALS = 6  # rounding hides the last bits of a sum, which depend on the number of threads


def clean(value: Any) -> Any:
    """Convert a value to plain JSON values: numbers are rounded to DECIMALS, NaN becomes None."""
    if isinstance(value, Mapping):
        return {str(key): clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean(item) for item in value]
    if isinstance(value, np.integer):
        return int(value)
    if not isinstance(value, float | np.floating):
        return value
    if np.isnan(value):
        return None
    return round(float(value), DECIMALS) + 0.0  # + 0.0 turns -0.0 into 0.0


def check_read(path: Path, content: dict, schema: Path) -> None:
    """Check that a document that was read from a file conforms to its schema.

    Raises:
        InputError: if it does not. The message names the place and what was found there.
    """
    from jsonschema import ValidationError  # late: it takes a tenth of a second

    try:
        check_schema(content, schema)
    except ValidationError as error:
        found = one_line(error.message)
        raise InputError(f"{path}: {error.json_path}: {found}; {REMEDY}") from error


def check_schema(content: dict, schema: Path) -> None:
    """Check that a document conforms to a JSON schema, which may refer to others by relative paths.

    Raises:
        jsonschema.ValidationError: if they differ, which is a fault in graft.
    """
    import jsonschema  # late: it takes a tenth of a second
    from referencing import Registry, Resource

    def retrieve(uri: str) -> Resource:
        path = Path(unquote(urlparse(uri).path))
        return Resource.from_contents(read_json(path))

    # attrs drops the underscore of the argument's name, which mypy does not see.
    registry: Registry = Registry(retrieve=retrieve)  # type: ignore[call-arg]
    reference = {"$ref": schema.resolve().as_uri()}
    jsonschema.Draft202012Validator(reference, registry=registry).validate(content)
