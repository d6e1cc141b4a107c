"""YAML files: read as plain values, however they are made."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, Event

from graft.common.files import InputError, check_regular_file
from graft.common.shown import one_line

MOST_BYTES = 2**20  # of a file
MOST_VALUES = 20_000  # with those that anchors repeat: ten lines can repeat ten billion
DEEPEST = 50  # lists and mappings inside each other: the parser has no limit and crashes


def read_yaml(path: Path) -> Mapping[str, Any]:
    """Read the keys and values of a YAML file.

    Raises:
        InputError: if the file cannot be read, if it does not contain keys and values, or if it
            contains very many.
    """
    check_regular_file(path)
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise InputError(f"{path}: has {size:,} bytes, expected at most {MOST_BYTES:,}")
        with path.open("rb") as file:
            _check_size(path, YAML(typ="safe").parse(file))
            file.seek(0)
            content = YAML(typ="safe").load(file)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error
    except YAMLError as error:
        raise InputError(f"{path}: is not YAML ({one_line(str(error))})") from error
    except InputError:
        raise
    except Exception as error:  # a date, number or tag that is none can raise anything
        reason = one_line(str(error))
        raise InputError(f"{path}: has a value that YAML cannot read ({reason})") from error
    if not isinstance(content, Mapping):
        found = "is empty" if content is None else f"contains a {type(content).__name__}"
        raise InputError(f"{path}: {found}, expected keys and values")
    return content


def _check_size(path: Path, events: Iterable[Event]) -> None:
    """Count the values of a file without making them.

    Raises:
        InputError: if there are more than MOST_VALUES, if they are deeper than DEEPEST, or if an
            anchor is inside itself.
    """
    sizes: dict[str, int] = {}  # of the values with an anchor
    open_values: list[tuple[str | None, int]] = [(None, 0)]  # anchor and size so far
    for event in events:
        anchor = getattr(event, "anchor", None)
        where = f"{path}: line {event.start_mark.line + 1}"
        size = 1
        if isinstance(event, CollectionStartEvent):
            open_values.append((anchor, 1))
            if len(open_values) > DEEPEST:
                raise InputError(f"{where} is deeper than {DEEPEST} levels, expected fewer")
            continue
        if isinstance(event, AliasEvent):
            if anchor in (name for name, _ in open_values):
                raise InputError(f"{where} puts *{anchor} inside itself, expected another value")
            size = sizes.get(event.anchor, 1)
        elif isinstance(event, CollectionEndEvent):
            anchor, size = open_values.pop()
        if anchor:
            sizes[anchor] = size
        outer, before = open_values.pop()
        open_values.append((outer, before + size))
        if before + size > MOST_VALUES:
            raise InputError(
                f"{where} makes more than {MOST_VALUES:,} values, with those that anchors repeat, "
                "expected fewer"
            )
