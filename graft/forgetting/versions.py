"""Versions of models in git: what the dvc.lock of a tag or branch says about model folders."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import git
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from graft.forgetting.models import FoundModel
from graft.forgetting.project import EXPERIMENTS, Project

LOCK = "dvc.lock"


@dataclass(frozen=True)
class ModelVersion:
    """A tag or branch of git whose dvc.lock names a model.

    Attributes:
        ref: the tag or branch.
        models: the folders of the models there.
        same: those of them that are the ones in the working tree.
    """

    ref: str
    models: Sequence[str]
    same: Sequence[str]


def list_versions(project: Project, models: Sequence[FoundModel]) -> list[ModelVersion]:
    """The tags and branches with models that come from the patient's data.

    The branch that is checked out is not among them: its next commit has other models. A folder
    that is not as in the working tree counts: nobody knows what it was trained on.
    """
    if project.git is None:
        return []
    folders = {model.folder.relative_to(project.root).as_posix() for model in models}
    here = _outputs((project.root / LOCK).read_bytes()) if (project.root / LOCK).exists() else {}
    found = []
    checkout: git.Repo = project.git.gitpython.repo
    prefix = project.root.relative_to(Path(checkout.working_dir).resolve()).as_posix()
    present = None if checkout.head.is_detached else checkout.active_branch.name
    for ref in checkout.refs:
        if ref.name == present or ref.path.startswith(EXPERIMENTS):
            continue
        there = dict(_outputs_at(ref, LOCK if prefix == "." else f"{prefix}/{LOCK}"))
        named = sorted(folders & there.keys())
        if named:
            same = [folder for folder in named if there[folder] == here.get(folder)]
            found.append(ModelVersion(ref.name, named, same))
    return found


def _outputs_at(ref: git.Reference, path: str) -> Iterator[tuple[str, str]]:
    """The outputs in a lock file of a commit; none if it has no such file."""
    try:
        blob = ref.commit.tree / path
    except (KeyError, ValueError):  # ValueError: the tag is of no commit
        return
    yield from _outputs(blob.data_stream.read()).items()


def _outputs(lock: bytes) -> Mapping[str, str]:
    """The MD5 of each output that a lock file names, by its path."""
    try:
        stages = YAML(typ="safe").load(lock)["stages"].values()
        return {out["path"]: str(out.get("md5")) for stage in stages for out in _outs(stage)}
    except (YAMLError, KeyError, TypeError, AttributeError):
        return {}


def _outs(stage: Mapping) -> Sequence[Mapping]:
    return stage.get("outs") or []
