"""What a stage leaves as JSON: rounded, and checked against the schema that stands beside the code."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import numpy as np

from graft.common.files import read_json

DECIMALS = 6  # the last bits of a sum depend on the number of threads


def clean(value: object) -> Any:
    """The same as plain JSON values: rounded to DECIMALS, NaN as None."""
    if isinstance(value, Mapping):
        return {str(key): clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean(item) for item in value]
    if isinstance(value, float | np.floating):
        return (
            None if np.isnan(value) else round(float(value), DECIMALS) + 0.0
        )  # + 0.0 turns -0.0 into 0.0
    return int(value) if isinstance(value, np.integer) else value


def check_schema(content: dict, schema: Path) -> None:
    """Compare a document with a JSON schema, which may refer to others by relative paths.

    Raises jsonschema.ValidationError, which is a fault in graft.
    """
    import jsonschema  # late: it takes a tenth of a second
    from referencing import Registry, Resource

    def retrieve(uri: str) -> Resource:
        return Resource.from_contents(read_json(Path(unquote(urlparse(uri).path))))

    registry = Registry(retrieve=retrieve)
    reference = {"$ref": schema.resolve().as_uri()}
    jsonschema.Draft202012Validator(reference, registry=registry).validate(content)
