"""`params.yaml`, checked once, where it enters."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML, YAMLError

from graft.files import InputError
from graft.sections import Domain, Params


def read(*keys: str, path: Path = Path("params.yaml")) -> Any:
    """The values at these keys (`"seed"`, `"domains.lung.window"`), in their order; one key gives one value.

    The whole file is checked, whichever keys are asked for.

    Raises InputError with the key's path, its value and what is allowed.
    """
    params = load(path)
    values = tuple(_at(params, key, path) for key in keys)
    return values[0] if len(values) == 1 else values


def load(path: Path = Path("params.yaml")) -> Params:
    """Read and check params.yaml; raises InputError with the key's path, its value and what is allowed."""
    try:
        content = YAML(typ="safe").load(path)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error
    except YAMLError as error:
        raise InputError(f"{path}: is not YAML ({' '.join(str(error).split())})") from error
    if not isinstance(content, Mapping):
        raise InputError(f"{path}: holds {type(content).__name__}, expected keys and values")
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        lines = [_explain(detail) for detail in error.errors(include_url=False)]
        raise InputError(f"{path}: {'; '.join(lines)}") from error


def _at(params: Params, key: str, path: Path) -> Any:
    value: Any = params
    for name in key.split("."):
        try:
            value = value[name] if isinstance(value, dict) else getattr(value, "lambda_" if name == "lambda" else name)
        except (KeyError, AttributeError):
            known = value if isinstance(value, dict) else type(value).model_fields
            raise InputError(f"{path}: {key}: {name!r} is not there, expected one of {', '.join(known)}") from None
    return value


def _explain(detail: ErrorDetails) -> str:
    where = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        name = str(detail["loc"][-1])
        close = difflib.get_close_matches(name, _names(Params), n=1)
        return f"{where}: unknown key" + (f", did you mean {close[0]!r}?" if close else "")
    if detail["type"] == "missing":
        return f"{where}: missing"
    if detail["type"] == "value_error":  # one of our own sentences, which names its key
        return ".".join(part for part in (where, str(detail["ctx"]["error"])) if part)
    return f"{where}: got {detail['input']!r}; {detail['msg']}"


def _names(section: type[BaseModel]) -> list[str]:
    names = []
    for name, field in section.model_fields.items():
        names.append(field.alias or name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            names += _names(field.annotation)
    return names + (list(Domain.model_fields) if section is Params else [])
