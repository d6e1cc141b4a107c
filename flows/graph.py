"""The pipeline as DVC sees it: its stages, what each waits for, and which have changed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import networkx
from dvc.dependency.param import ParamsDependency
from dvc.repo import Repo

FILES = ("dvc.yaml", "data/phantom/dvc.yaml")
LOCKS = tuple(name.replace(".yaml", ".lock") for name in FILES)


@dataclass(frozen=True)
class Stage:
    """One stage of the pipeline.

    `name` is DVC's address of it (`pretrain`, `data/phantom/dvc.yaml:phantom@lung`), `after` are the names of
    the stages whose outs it reads, `beside` of those that may run at the same time, and `gpu` says whether its
    `meta` in dvc.yaml asks for a GPU.
    """

    name: str
    after: tuple[str, ...]
    beside: tuple[str, ...]
    gpu: bool


def stages(root: Path, targets: Sequence[str] = ()) -> list[Stage]:
    """The stages that `dvc repro` would look at, each after those that it waits for.

    Without targets these are the stages of the root's dvc.yaml and all that they wait for. Raises ValueError
    where a target is not a stage.
    """
    with Repo(str(root)) as repo:
        graph = _needed(repo, targets)
        order = networkx.lexicographical_topological_sort(graph.reverse(), _name)
        return [
            Stage(
                _name(stage),
                _names(graph.successors(stage)),
                _beside(graph, stage),
                bool((stage.meta or {}).get("gpu")),
            )
            for stage in order
            if stage.cmd
        ]


def untouched(root: Path, keys: Sequence[str]) -> list[str]:
    """The names of the stages that give the same whatever the values of some parameters."""
    with Repo(str(root)) as repo:
        graph = _needed(repo, ())
        touched = {
            stage
            for stage in graph.nodes
            if any(_overlap(key, read) for key in keys for read in _reads(stage))
        }
        touched |= set().union(*(networkx.ancestors(graph, stage) for stage in touched))
        return sorted(_name(stage) for stage in graph.nodes if stage.cmd and stage not in touched)


def changed(root: Path) -> set[str]:
    """The names of the stages that have changed, as `dvc status` tells them."""
    with Repo(str(root)) as repo:
        names = {stage.addressing: _name(stage) for stage in repo.index.graph.nodes}
        return {names[address] for address in repo.status()}


def _needed(repo: Repo, targets: Sequence[str]) -> networkx.DiGraph:
    """The part of DVC's graph, whose edges run from a stage to what it waits for, that the targets need."""
    graph = repo.index.graph
    by_name = {_name(stage): stage for stage in graph.nodes if stage.cmd}
    if unknown := [name for name in targets if name not in by_name]:
        raise ValueError(
            f"targets: got {', '.join(unknown)}, expected some of {', '.join(sorted(by_name))}"
        )
    wanted = targets or [
        name for name, stage in by_name.items() if stage.path_in_repo == "dvc.yaml"
    ]
    return graph.subgraph(
        set().union(
            *({by_name[name], *networkx.descendants(graph, by_name[name])} for name in wanted)
        )
    )


def _beside(graph: networkx.DiGraph, stage: object) -> tuple[str, ...]:
    return _names(
        graph.nodes
        - {stage}
        - networkx.ancestors(graph, stage)
        - networkx.descendants(graph, stage)
    )


def _names(stages: Iterable[object]) -> tuple[str, ...]:
    return tuple(sorted(_name(stage) for stage in stages if stage.cmd))


def _name(stage: object) -> str:
    # What DVC calls its address holds for one working directory only.
    file, name = stage.path_in_repo, getattr(stage, "name", None)
    return name if file == "dvc.yaml" else f"{file}:{name}" if name else file


def _reads(stage: object) -> list[str]:
    """The keys of a stage's parameters; "" for a file that it reads whole."""
    return [
        key for dep in stage.deps if isinstance(dep, ParamsDependency) for key in dep.params or [""]
    ]


def _overlap(one: str, other: str) -> bool:
    return (
        "" in (one, other) or f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")
    )
