"""Sets parameters in params.yaml: each value is written as data, and nothing in it is evaluated.

`dvc exp run -S` reads values in the grammar of Hydra, which replaces `${oc.env:NAME}`.
"""

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dvc.utils.serialize import dumps_yaml, parse_yaml_for_update

from graft.common.files import InputError, whole_file
from graft.common.parameters import read_parameter_file
from graft.common.secret_variables import refuse_secrets

PARAMETERS = "params.yaml"


def set_parameters(root: Path, overrides: Mapping[str, object]) -> None:
    """Set parameters by their dotted keys; the comments and the other values remain.

    Raises:
        InputError: if a key is unknown, or if a value has or asks for that of an environment
            variable. The file then stays as it was.
    """
    refuse_secrets(overrides, "overrides")
    content = _read(root)
    for key, value in overrides.items():
        section, name = _find(content, key)
        section[name] = value
    with whole_file(root / PARAMETERS) as path:
        path.write_text(dumps_yaml(content), encoding="utf-8")


def check_keys(root: Path, keys: Iterable[str]) -> None:
    """Raise InputError if params.yaml lacks one of these dotted keys."""
    content = _read(root)
    for key in keys:
        _find(content, key)


def _read(root: Path) -> dict[str, Any]:
    read_parameter_file(root / PARAMETERS)  # raises InputError if it cannot be used
    return parse_yaml_for_update((root / PARAMETERS).read_text(encoding="utf-8"), PARAMETERS)


def _find(content: dict[str, Any], key: str) -> tuple[dict[str, Any], str]:
    """Return the section with a dotted key, and the key's name in it."""
    *sections, name = key.split(".")
    place: Any = content
    for section in sections:
        place = place.get(section) if isinstance(place, dict) else None
    if isinstance(place, dict) and name in place:
        return place, name
    close = difflib.get_close_matches(key, _keys(content), n=1)
    suggestion = f", did you mean {close[0]!r}?" if close else ""
    raise InputError(f"{PARAMETERS}: {key}: unknown key{suggestion}")


def _keys(content: dict[str, Any], prefix: str = "") -> list[str]:
    keys = []
    for name, value in content.items():
        keys.append(f"{prefix}{name}")
        if isinstance(value, dict):
            keys += _keys(value, f"{prefix}{name}.")
    return keys
