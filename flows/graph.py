"""The pipeline as DVC sees it: its stages, what each waits for, and which have changed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import networkx
from dvc.dependency.param import ParamsDependency
from dvc.repo import Repo
from dvc.stage import Stage as DvcStage

FILES = ("dvc.yaml", "data/phantom/dvc.yaml")
LOCKS = tuple(name.replace(".yaml", ".lock") for name in FILES)
WHOLE_FILE = ""  # the key of a stage that reads a parameter file whole


@dataclass(frozen=True)
class Stage:
    """One stage of the pipeline.

    `name` is DVC's address of the stage (`pretrain`, `data/phantom/dvc.yaml:phantom@lung`). `after`
    names the stages whose outputs it reads, and `beside` those that may run at the same time. `gpu`
    is true if its `meta` in dvc.yaml asks for a GPU.
    """

    name: str
    after: tuple[str, ...]
    beside: tuple[str, ...]
    gpu: bool


def ordered_stages(root: Path, targets: Sequence[str] = ()) -> list[Stage]:
    """Return the stages that `dvc repro` would look at, each after those that it waits for.

    Without targets these are the stages of the root's dvc.yaml and all that they wait for.

    Raises:
        ValueError: if a target is not a stage.
    """
    with Repo(str(root)) as repo:
        graph = _needed_graph(repo, targets)
        order = networkx.lexicographical_topological_sort(graph.reverse(), _name)
        return [_to_stage(graph, stage) for stage in order if stage.cmd]


def untouched_stages(root: Path, keys: Sequence[str]) -> list[str]:
    """Return the names of the stages whose results do not depend on some parameters.

    The output of a gate (`meta: {gate: true}` in dvc.yaml) is constant. A gate itself depends on
    the parameters that it reads, but the stages that wait for it do not depend on them because of
    it.
    """
    with Repo(str(root)) as repo:
        graph = _needed_graph(repo, ())
        without_gates = networkx.subgraph_view(graph, filter_edge=_passes_change)
        touched = set()
        for stage in graph.nodes:
            if _reads_any(stage, keys):
                touched.add(stage)
                touched |= networkx.ancestors(without_gates, stage)
        return list(_names(graph.nodes - touched))


def changed_stages(root: Path) -> set[str]:
    """Return the names of the stages that `dvc status` lists as changed."""
    with Repo(str(root)) as repo:
        names = {stage.addressing: _name(stage) for stage in repo.index.graph.nodes}
        return {names[address] for address in repo.status()}


def address(file: str, name: str) -> str:
    """Return the address of a stage from the dvc.yaml that it is in and its name there."""
    return name if file == "dvc.yaml" else f"{file}:{name}"


def _needed_graph(repo: Repo, targets: Sequence[str]) -> networkx.DiGraph:
    """Return the part of DVC's graph that the targets need.

    Its edges run from a stage to what the stage waits for.
    """
    graph = repo.index.graph
    by_name = {_name(stage): stage for stage in graph.nodes if stage.cmd}
    unknown = [name for name in targets if name not in by_name]
    if unknown:
        expected = ", ".join(sorted(by_name))
        raise ValueError(f"targets: got {', '.join(unknown)}, expected some of {expected}")
    needed = set()
    for name, stage in by_name.items():
        wanted = name in targets if targets else stage.path_in_repo == "dvc.yaml"
        if wanted:
            needed.add(stage)
            needed |= networkx.descendants(graph, stage)
    return graph.subgraph(needed)


def _to_stage(graph: networkx.DiGraph, stage: DvcStage) -> Stage:
    before = networkx.descendants(graph, stage)
    later = networkx.ancestors(graph, stage)
    beside = graph.nodes - {stage} - before - later
    return Stage(
        name=_name(stage),
        after=_names(graph.successors(stage)),
        beside=_names(beside),
        gpu=_has_mark(stage, "gpu"),
    )


def _passes_change(_waiting: DvcStage, awaited: DvcStage) -> bool:
    """Return whether a change of a stage can change a stage that waits for it."""
    return not _has_mark(awaited, "gate")


def _has_mark(stage: DvcStage, mark: str) -> bool:
    """Return whether a stage's `meta` in dvc.yaml has a mark."""
    return bool((stage.meta or {}).get(mark))


def _names(stages: Iterable[DvcStage]) -> tuple[str, ...]:
    return tuple(sorted(_name(stage) for stage in stages if stage.cmd))


def _name(stage: DvcStage) -> str:
    # DVC's own `addressing` is relative to the working directory, so it cannot be used here.
    file = stage.path_in_repo
    name = getattr(stage, "name", None)
    if not name:
        return file
    return address(file, name)


def _reads_any(stage: DvcStage, keys: Sequence[str]) -> bool:
    """Return whether a stage reads one of the parameters, a part of one, or a section with one."""
    for dependency in stage.deps:
        if isinstance(dependency, ParamsDependency):
            for read in dependency.params or [WHOLE_FILE]:
                if any(_overlap(read, key) for key in keys):
                    return True
    return False


def _overlap(one: str, other: str) -> bool:
    if WHOLE_FILE in (one, other):
        return True
    one, other = f"{one}.", f"{other}."
    return one.startswith(other) or other.startswith(one)
