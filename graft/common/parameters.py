"""Parameters: the base class of every section of a parameter file, and how a section is read.

The schema of a section is in the package that uses it. A caller describes what it reads as one
class of sections, so that it neither sees nor depends on any other key of the file.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from graft.common.files import InputError
from graft.common.secret_variables import refuse_secrets
from graft.common.shown import shown, shown_key
from graft.common.unchanged import Reading, remember
from graft.common.yaml_file import read_yaml

# Limits are far above every real use. They stop a slip, such as an lr of 1e308, before any work.
Share = Annotated[float, Field(ge=0, lt=1)]
Weight = Annotated[float, Field(ge=0, le=1e6)]  # with more, a loss counts for nothing beside it
Count = Annotated[int, Field(ge=1, le=100_000)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]  # generators take 64 bits with a sign

PROBLEMS_SHOWN = 5  # in one message
LONGEST_KEY = 80  # characters that are compared with the known keys


def _each_once(values: list) -> list:
    """Refuse a list in which a value occurs twice, or two names that differ by case only."""
    names = [value.casefold() if isinstance(value, str) else value for value in values]
    if len(set(names)) < len(names):
        raise PydanticCustomError("twice", "expected each of them once")
    return values


EachOnce = AfterValidator(_each_once)


class Section(BaseModel):
    """A part of a parameter file. It refuses unknown keys, other types, NaN and infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


AnySection = TypeVar("AnySection", bound=Section)


def read_parameters(model: type[AnySection], path: Path, key: str = "") -> AnySection:
    """Read the parameters that the fields of `model` name, and no others.

    The alias of a field is the place of its value in the file, as DVC writes it: `training.device`,
    `domains.${key}` or `domains.${source}.split`. The argument `key` replaces `${key}`, and the
    value at the key `source` of the file replaces `${source}`. Keys that `model` does not declare
    are ignored. Only a check of the complete file finds an unknown one.

    Args:
        model: the class whose fields are read.
        path: a YAML file.
        key: replaces `${key}` in the aliases.

    Raises:
        InputError: if the file cannot be read, or if a value is missing or not allowed. The
            message has the file, the key, its value and what is allowed.
    """
    content = read_parameter_file(path)
    names = {**content, "key": key}
    found = _declared_values(model, content, path, names)

    def read_again() -> dict[str, Any]:
        now = _declared_values(model, read_parameter_file(path), path, names)
        return _by_key(now, names)

    remember(Reading(path, _by_key(found, names), read_again))
    return check_parameters(model, found, path, names)


def check_parameters(
    model: type[AnySection], content: Mapping, path: Path, names: Mapping | None = None
) -> AnySection:
    """Check parameters that were read from a file.

    Args:
        model: the class that declares them.
        content: the values by key.
        path: the file, for messages.
        names: the values that replace `${name}` in the aliases, for messages.

    Raises:
        InputError: if a value is missing or not allowed, or if a key is unknown. The message has
            the file, the key, its value and what is allowed.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        details = error.errors(include_url=False)
        problems = []
        for detail in details[:PROBLEMS_SHOWN]:
            problems.append(_interpolated(_explain(detail, model), names or {}))
        if len(details) > PROBLEMS_SHOWN:
            problems.append(f"and {len(details) - PROBLEMS_SHOWN} more")
        raise InputError(f"{path}: {'; '.join(problems)}") from error


def read_parameter_file(path: Path) -> Mapping[str, Any]:
    """Read all keys and values of a parameter file.

    Raises:
        InputError: if the file cannot be read, or if it has or asks for the value of an
            environment variable.
    """
    content = read_yaml(path)
    refuse_secrets(content, str(path))
    return content


def _interpolated(text: str, names: Mapping[str, Any]) -> str:
    """Replace `${name}` in a text by the value of the name, if it is known."""

    def replacement(match: re.Match) -> str:
        return str(names.get(match[1], match[0]))

    return re.sub(r"\$\{(\w+)\}", replacement, text)


def _declared_values(
    model: type[Section], content: Mapping[str, Any], path: Path, names: Mapping[str, Any]
) -> dict[str, Any]:
    """The values that the fields of `model` name, by the place that a field gives."""
    found = {}
    for name, field in model.model_fields.items():
        place = field.alias or name
        keys = [_interpolated(part, names) for part in place.split(".")]
        value = _value_at(content, keys, path)
        found[place] = _declared(value, field.annotation)
    return found


def _by_key(values: Mapping[str, Any], names: Mapping[str, Any]) -> dict[str, Any]:
    """The values by their keys in the file."""
    return {_interpolated(place, names): value for place, value in values.items()}


def _value_at(content: Mapping[str, Any], place: Sequence[str], path: Path) -> Any:
    """The value at a place, which is a list of keys from the root of the file."""
    value: Any = content
    for name in place:
        if not isinstance(value, Mapping) or name not in value:
            known = ", ".join(map(str, value)) if isinstance(value, Mapping) else "no keys"
            raise InputError(f"{path}: {'.'.join(place)}: {name!r} is missing, found {known}")
        value = value[name]
    return value


def _declared(value: Any, kind: Any) -> Any:
    """Remove the keys that a section does not declare from its value."""
    if not isinstance(value, Mapping):
        return value
    if get_origin(kind) is dict:
        _, inner = get_args(kind)
        return {name: _declared(item, inner) for name, item in value.items()}
    if not (isinstance(kind, type) and issubclass(kind, Section)):
        return value
    declared = {}
    for name, field in kind.model_fields.items():
        key = field.alias or name
        if key in value:
            declared[key] = _declared(value[key], field.annotation)
    return declared


def _explain(detail: ErrorDetails, model: type[BaseModel]) -> str:
    """Describe one problem that pydantic found: the key, its value and what is allowed."""
    place = [shown_key(part) for part in detail["loc"] if part != "[key]"]
    where = ".".join(place)
    if detail["type"] == "extra_forbidden":
        name = str(detail["loc"][-1])[:LONGEST_KEY]
        close = difflib.get_close_matches(name, _known_names(model), n=1)
        suggestion = f", did you mean {close[0]!r}?" if close else ""
        return f"{where}: unknown key{suggestion}"
    if detail["type"] == "missing":
        return f"{where}: missing"
    if detail["type"] == "value_error":  # raised by a validator, whose message names the key
        message = str(detail["ctx"]["error"])
        return f"{where}.{message}" if where else message
    return f"{where}: got {shown(detail['input'])}; {detail['msg']}"


def _known_names(section: type[BaseModel]) -> list[str]:
    """The keys of a section and of the sections inside it."""
    names = []
    for name, field in section.model_fields.items():
        names.append(field.alias or name)
        inner = getattr(field.annotation, "__args__", ())
        for kind in (field.annotation, *inner):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                names += _known_names(kind)
    return names
