"""The parameters that the stages of a run used, as DVC recorded them in its lock files.

A parameter file says what the next run will use. It may have been edited since the last one.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import jsonschema

from graft.common.differences import ABSENT, differences
from graft.common.files import InputError
from graft.common.shown import shown
from graft.common.yaml_file import read_yaml

Entry = Mapping[str, Any]  # what a lock file has about a stage: cmd, deps, params, outs

_PATHS = {"type": "array", "items": {"type": "object", "required": ["path"]}}
_PARAMETERS = {"type": "object", "additionalProperties": {"type": "object"}}
_ENTRY = {"type": "object", "properties": {"deps": _PATHS, "outs": _PATHS, "params": _PARAMETERS}}
_STAGES = {"type": "object", "additionalProperties": _ENTRY}
LOCK_SCHEMA = {"type": "object", "required": ["stages"], "properties": {"stages": _STAGES}}


def read_lock(path: Path) -> dict[str, Entry]:
    """Return the entry of every stage in a lock file; there are none if the file is missing.

    Raises:
        InputError: if it is not a lock file of DVC.
    """
    if not path.exists():
        return {}
    content = read_yaml(path)
    if not jsonschema.Draft202012Validator(LOCK_SCHEMA).is_valid(content):
        raise InputError(f"{path}: got other keys, expected stages as DVC writes them")
    return dict(content["stages"])


def stage_names(pipeline: Path, parameters: Mapping[str, Any]) -> set[str]:
    """Return the names of the stages that a `dvc.yaml` has with some parameters.

    A lock file keeps the entries of stages that are gone, as of a domain with another name.

    Args:
        pipeline: a `dvc.yaml`. A `foreach` has names, or a place in the parameters (`${domains}`).
        parameters: the parameters, as nested mappings.
    """
    names = set()
    for name, stage in read_yaml(pipeline)["stages"].items():
        items = stage.get("foreach")
        if items is None:
            names.add(name)
            continue
        if isinstance(items, str):
            items = _value_at(parameters, items.strip("${} "))
        if not isinstance(items, Mapping | list):
            raise InputError(f"{pipeline}: {name}: got foreach {shown(items)}, expected names")
        names |= {f"{name}@{item}" for item in items}
    return names


def producers(entries: Mapping[str, Entry], wanted: Iterable[str]) -> dict[str, Entry]:
    """Return the entries of the stages that wrote some paths, and of all that these waited for.

    Args:
        entries: the entries of stages by name.
        wanted: paths relative to the root of the repository.

    Raises:
        InputError: if no stage wrote one of the wanted paths.
    """
    found: dict[str, Entry] = {}
    paths = list(wanted)
    written = [out for entry in entries.values() for out in _paths(entry, "outs")]
    for path in paths:
        if not any(_overlap(path, out) for out in written):
            raise InputError(f"{path}: no lock file has the stage that wrote it; run `dvc repro`")
    while paths:
        path = paths.pop()
        for name, entry in entries.items():
            if name not in found and any(_overlap(path, out) for out in _paths(entry, "outs")):
                found[name] = entry
                paths += _paths(entry, "deps")
    return found


def used_parameters(entries: Mapping[str, Entry], file: str) -> dict[str, Any]:
    """Return the parameters that stages used, as nested mappings.

    Args:
        entries: the entries of the stages by name.
        file: the path of the parameter file, as the entries have it.

    Raises:
        InputError: if two stages used different values of a parameter.
    """
    uses = list(_uses(entries, file))
    for use, other in itertools.permutations(uses, 2):
        if _is_within(other.key, use.key):
            _check_agreement(file, use, other)
    content: dict[str, Any] = {}
    for use in sorted(uses, key=lambda use: use.key.count(".")):
        *sections, name = use.key.split(".")
        place = content
        for section in sections:
            place = place.setdefault(section, {})
        place[name] = use.value
    return content


class _Use(NamedTuple):
    """A stage, the dotted key of a parameter, and the value that the stage used."""

    stage: str
    key: str
    value: Any


def _uses(entries: Mapping[str, Entry], file: str) -> Iterator[_Use]:
    for stage, entry in entries.items():
        for key, value in entry.get("params", {}).get(file, {}).items():
            yield _Use(stage, str(key), value)


def _check_agreement(file: str, use: _Use, inner: _Use) -> None:
    """Raise InputError if two stages used different values of a parameter.

    The key of `inner` is that of `use`, or inside it.
    """
    value = _value_at(use.value, inner.key.removeprefix(use.key))
    for found in differences(value, inner.value, inner.key):
        raise InputError(
            f"{file}: {found.key}: {use.stage} used {shown(found.first)} and {inner.stage} used "
            f"{shown(found.second)}, expected one value; run `dvc repro`"
        )


def _value_at(value: Any, place: str) -> Any:
    """The value at a dotted key within nested mappings; the key may start with a dot."""
    for name in filter(None, place.split(".")):
        value = value.get(name, ABSENT) if isinstance(value, Mapping) else ABSENT
    return value


def _is_within(inner: str, outer: str) -> bool:
    return inner == outer or inner.startswith(f"{outer}.")


def _paths(entry: Entry, kind: str) -> list[str]:
    return [item["path"] for item in entry.get(kind, [])]


def _overlap(one: str, other: str) -> bool:
    """Whether two paths are the same, or one is inside the other."""
    first, second = PurePosixPath(one), PurePosixPath(other)
    return first.is_relative_to(second) or second.is_relative_to(first)
