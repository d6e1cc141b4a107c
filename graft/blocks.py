"""What a stage leaves as JSON: rounded, and checked against the schema that stands beside the code."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from graft.files import read_json

DECIMALS = 6  # the last bits of a sum depend on the number of threads


def clean(value: object) -> object:
    """The same as plain JSON values: rounded to DECIMALS, NaN as None."""
    if isinstance(value, Mapping):
        return {str(key): clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean(item) for item in value]
    if isinstance(value, float | np.floating):
        return None if np.isnan(value) else round(float(value), DECIMALS) + 0.0  # + 0.0 turns -0.0 into 0.0
    return int(value) if isinstance(value, np.integer) else value


def check(content: dict, schema: str) -> None:
    """Compare with a schema of this folder, which may refer to others by their file names.

    Raises jsonschema.ValidationError, which is a fault in graft.
    """
    import jsonschema  # late: it takes a tenth of a second
    from referencing import Registry, Resource

    def read(name: str) -> Resource:
        return Resource.from_contents(read_json(Path(__file__).with_name(name)))

    registry = Registry(retrieve=read)
    jsonschema.Draft202012Validator(read(schema).contents, registry=registry).validate(content)
