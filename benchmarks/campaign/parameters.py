"""Wrong parameters: one key of params.yaml, or several together, have a value that cannot be used.

The stage `parameters` runs first, as in the pipeline. If it accepts the value, the stages that read
the key run as well. A value that is wrong in any case, such as a text in place of a number, must be
refused by one of them.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from ruamel.yaml import YAML

from benchmarks.campaign.attempts import Attempt, run_step
from benchmarks.campaign.project import change_parameters, copy_project
from benchmarks.campaign.steps import stage_step
from benchmarks.campaign.wrong_values import MARKER, READERS, TOGETHER, VALUES
from graft.common.seeds import generator

SECONDS = 40.0  # a stage on the tiny cohort takes one to four


def plan_parameters(project: Path, seed: int) -> Iterator[Attempt]:
    """Attempts with keys together, then with every key and value, in an order by the seed."""
    content = YAML(typ="safe").load(project / "params.yaml")
    leaves = dict(_leaves(content))
    single = [{place: value} for place in leaves for value in VALUES]
    order = generator(seed, "parameters").permutation(len(single))
    changes = [*TOGETHER, *(single[number] for number in order)]
    mixed = generator(seed, "mixed").permutation(2 * len(TOGETHER))
    first = [changes[number] for number in mixed]
    for change in [*first, *changes[2 * len(TOGETHER) :]]:
        title = "several" if change in TOGETHER else "one key"
        certain = any(_is_wrong(leaves.get(place), value) for place, value in change.items())
        place = ", ".join(f"{key}: {_short(value)}" for key, value in change.items())
        yield Attempt(
            f"parameters: {title}", place, partial(_set_and_run, project, change, certain)
        )


def _leaves(content: Mapping, above: str = "") -> Iterator[tuple[str, object]]:
    """The keys such as `training.batch` of everything that is not a section, with their values."""
    for name, value in content.items():
        place = f"{above}{name}"
        if isinstance(value, Mapping) and value and not place.endswith("covariates"):
            yield from _leaves(value, f"{place}.")
        else:
            yield place, value


def _is_wrong(usual: object, value: object) -> bool:
    """Whether no run can mean a value in place of the usual one."""
    if usual is None:
        return False
    if isinstance(value, float) and not abs(value) < float("inf"):
        return True
    if isinstance(usual, int | float):
        return not isinstance(value, int | float) or isinstance(value, bool)
    if isinstance(usual, str):  # a name or null is possible in place of some texts
        return isinstance(value, int | float | list | dict)
    return isinstance(value, str | int | float)


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) < 60 else f"{shown[:60]}..."


def _set_and_run(
    project: Path, change: Mapping[str, object], certain: bool, folder: Path
) -> tuple[str, str]:
    """Set some keys, and run the stages that read them until one refuses."""
    copy = copy_project(project, folder)
    try:
        change_parameters(copy / "params.yaml", change)
    except (TypeError, KeyError):
        return "survived", "there is no such section"
    for line in ("parameters", *_readers(change)):
        ended = run_step(stage_step(line), copy, SECONDS)
        if (copy / MARKER).exists() or (folder / MARKER).exists():
            return "wrong", f"{line} ran an injected command"
        fault = ended.fault()
        if fault:
            return fault[0], f"{line}: {fault[1]}"
        if ended.refused():
            return "survived", ended.err.strip()
    return ("wrong", "no stage refused it") if certain else ("survived", "it is possible")


def _readers(change: Mapping[str, object]) -> list[str]:
    found = []
    for place in change:
        for section, lines in READERS.items():
            if place == section or place.startswith(f"{section}."):
                found += [line for line in lines if line not in found]
    return found
