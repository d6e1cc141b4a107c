"""What a finished run of the pipeline left, and how two runs differ.

Models and tables of predictions are compared by their bytes. Of metrics.json, the numbers,
booleans and nulls are compared by their path (`models.bagging.test.auroc.value`). Its texts may
change without a change of the results, so texts that differ are listed apart.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from graft.common.files import InputError, read_json, sha256

METRICS = Path("metrics/metrics.json")
PATTERNS = ("models/**/weights.safetensors", "metrics/**/predictions.csv")

Value = float | bool | str | None


@dataclass(frozen=True)
class FinishedRun:
    """The SHA-256 of files by their path, and the values of metrics.json by theirs."""

    files: dict[str, str]
    values: dict[str, Value]


@dataclass
class Differences:
    """The paths that two runs have in common or not, sorted by what became of them.

    `missing` are only in the first run, `added` only in the second.
    """

    same: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)


def read_finished_run(folder: Path) -> FinishedRun:
    """Read what a run left in a clone.

    Raises:
        InputError: if the folder has no model or no metrics.json.
    """
    paths = []
    for pattern in PATTERNS:
        paths += sorted(folder.glob(pattern))
    if not paths:
        raise InputError(f"{folder}: has no {' or '.join(PATTERNS)}, expected a finished run")
    files = {}
    for path in paths:
        name = path.relative_to(folder).as_posix()
        files[name] = sha256(path)
    metrics = read_json(folder / METRICS)
    return FinishedRun(files, dict(walk_values(metrics)))


def walk_values(content: object, path: str = "") -> Iterator[tuple[str, Value]]:
    """Yield each value of a JSON document with its path, such as `models.bagging.loss`."""
    items: list[tuple[object, object]]
    if isinstance(content, dict):
        items = list(content.items())
    elif isinstance(content, list):
        items = list(enumerate(content))
    else:
        assert content is None or isinstance(content, float | int | str)
        yield path, content
        return
    prefix = f"{path}." if path else ""
    for key, item in items:
        yield from walk_values(item, f"{prefix}{key}")


def compare_files(first: FinishedRun, second: FinishedRun) -> Differences:
    """Compare the bytes of models and predictions."""
    return _compare(first.files, second.files)


def compare_numbers(first: FinishedRun, second: FinishedRun) -> Differences:
    """Compare the values of metrics.json, apart from those that are texts in both runs."""
    return _compare(_without_texts(first, second), _without_texts(second, first))


def differing_texts(first: FinishedRun, second: FinishedRun) -> list[str]:
    """Return the paths of the texts of metrics.json that differ, or that only one run has."""
    found = []
    for path in sorted(first.values.keys() | second.values.keys()):
        one = first.values.get(path, "")
        other = second.values.get(path, "")
        are_texts = isinstance(one, str) and isinstance(other, str)
        if are_texts and one != other:
            found.append(path)
    return found


def _without_texts(run: FinishedRun, other: FinishedRun) -> dict[str, Value]:
    """Return the values of a run that are no text, or that are a number in the other run."""
    found = {}
    for path, value in run.values.items():
        counterpart = other.values.get(path, "")
        if not isinstance(value, str) or not isinstance(counterpart, str):
            found[path] = value
    return found


def _compare(first: Mapping[str, Value], second: Mapping[str, Value]) -> Differences:
    found = Differences()
    for path in sorted(first.keys() | second.keys()):
        if path not in second:
            found.missing.append(path)
        elif path not in first:
            found.added.append(path)
        elif _is_same(first[path], second[path]):
            found.same.append(path)
        else:
            found.different.append(path)
    return found


def _is_same(one: Value, other: Value) -> bool:
    # In Python True == 1 and False == 0, but in metrics.json they mean different things.
    return isinstance(one, bool) == isinstance(other, bool) and one == other
