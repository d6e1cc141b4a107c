"""Whether stages changed since they ran: `dvc status`, but also in a clone that lacks data."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath

from dvc.dependency import Dependency
from dvc.output import Output
from dvc.repo import Repo
from dvc.stage import Stage

from graft.common.files import InputError

ABSENT = (["deleted"], ["not in cache"])  # what DVC says of data that are not here

Outputs = Mapping[str, Output]  # by their absolute paths


def check_unchanged(repo: Repo, last: Stage) -> int:
    """Check that a stage and all that it waits for have not changed since they ran.

    An input that is not here did not change if its stage wrote what its reader read, as dvc.lock
    has them. So a clone needs only the model, its metrics, and folders with several outputs that
    one stage reads whole.

    Returns:
        The number of stages.

    Raises:
        InputError: if a stage changed, or if that cannot be known.
    """
    collected = repo.stage.collect(last.addressing, with_deps=True)
    stages = sorted(collected, key=lambda stage: stage.addressing)
    outputs = {out.fs_path: out for stage in stages for out in stage.outs}
    unknown = " ".join(sorted(set(_unknown(stages, outputs))))
    if unknown:
        raise InputError(f"{unknown}: not here, so a change could not be seen; `dvc pull` them")
    changed = [stage.addressing for stage in stages if _is_changed(stage, outputs)]
    if changed:
        raise InputError(f"{' '.join(changed)}: changed since the run; run `dvc repro` and commit")
    return len(stages)


def _unknown(stages: Sequence[Stage], outputs: Outputs) -> Iterator[str]:
    """Yield what is missing of inputs that are no output: their hash is that of several outputs."""
    for stage in stages:
        for dep in _inputs(stage):
            if dep.fs_path in outputs:
                continue
            inside = [out for out in outputs.values() if _contains(dep, out)]
            if not inside and _state(dep) == ["deleted"]:
                yield str(dep)
            yield from (str(out) for out in inside if not out.exists)


def _is_changed(stage: Stage, outputs: Outputs) -> bool:
    if stage.changed_stage():
        return True
    if any(_state(out) and _state(out) not in ABSENT for out in stage.outs):
        return True
    return any(_input_changed(dep, outputs) for dep in _inputs(stage))


def _input_changed(dep: Dependency, outputs: Outputs) -> bool:
    if _state(dep) != ["deleted"]:
        return bool(_state(dep))
    return dep.hash_info != outputs[dep.fs_path].hash_info


def _inputs(stage: Stage) -> list[Dependency]:
    return [] if stage.frozen else stage.deps


def _state(item: Output) -> list:
    """What `dvc status` says of an input or output; nothing if it did not change."""
    return list(item.status().values())


def _contains(folder: Dependency, item: Output) -> bool:
    return PurePath(item.fs_path).is_relative_to(folder.fs_path)
