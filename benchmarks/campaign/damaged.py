"""Damaged files: one file of a finished run is damaged, and a step that reads it runs."""

import itertools
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.campaign.attempts import Attempt, run_step
from benchmarks.campaign.damage import DAMAGE, FLIPS, Way
from benchmarks.campaign.kinds import KINDS, Kind
from benchmarks.campaign.project import change_parameters, copy_project, digests
from benchmarks.campaign.raw import FORMS, read_form, write_form
from benchmarks.campaign.steps import OUTPUTS, as_command, stage_step
from benchmarks.campaign.verdicts import READ, judge, lost_files
from graft.common.seeds import generator

PRETRAINED = ("models/pretrained", "metrics/curves/pretrain")
# What a stage deletes first, so that nothing runs if it refuses.
GATES = (
    "data/parameters_checked.txt",
    "data/leaks_checked.txt",
    "data/images_without_labels.json",
)


def write_inputs(project: Path) -> None:
    """Add the small raw domains and the published weights to a project, and results of both."""
    published = project / "published"
    published.mkdir()
    weights = project / "models/finetuned/transfer/weights.safetensors"
    shutil.copy(weights, published / "weights.safetensors")
    run_step(partial(_write_pth, weights, published / "weights.pth"), project)
    for line in ("adopt pth", "adopt safetensors"):
        _reference(project, line)
    write_forms(project)


def write_forms(project: Path, forms: Sequence[str] = FORMS) -> None:
    """Add small raw domains to a project, and what graft reads from them."""
    for form in forms:
        write_form(project / "forms" / form, form)
        _reference(project, f"form {form}")


def _write_pth(weights: Path, path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    torch.save(load_file(weights), path)


def _reference(project: Path, line: str) -> dict[str, str]:
    """The result of a step on whole files, from its own copy of the project."""
    place = project / "references" / line.replace(" ", "-")
    known = place.with_suffix(".json")
    if known.exists():
        return json.loads(known.read_text())
    step, outputs = step_of(line)
    if line in OUTPUTS:
        found = digests(project, outputs)
    else:
        copy = copy_everything(project, place)
        ended = run_step(step, copy)
        if ended.code:
            raise RuntimeError(f"{line} fails on whole files: {ended.err}")
        found = digests(copy, outputs)
        shutil.rmtree(place)
    known.parent.mkdir(exist_ok=True)
    known.write_text(json.dumps(found))
    return found


def copy_everything(project: Path, folder: Path) -> Path:
    """Copy a project with its small raw domains and published weights."""
    copy = copy_project(project, folder)
    for name in ("forms", "published"):
        if (project / name).exists():
            shutil.copytree(project / name, copy / name)
    return copy


def step_of(line: str) -> tuple[Callable[[], object], tuple[str, ...]]:
    """The function of a step, and what it writes."""
    name, _, rest = line.partition(" ")
    if name == "form":
        read = partial(read_form, Path("forms") / rest, rest, Path(READ))
        return partial(as_command, read), (READ,)
    if name == "adopt":
        return partial(_adopt, f"published/weights.{rest}"), PRETRAINED
    return stage_step(line), OUTPUTS[line]


def _adopt(path: str) -> None:
    change_parameters(
        Path("params.yaml"), {"pretrain.source": path, "domains.liver.covariates": {}}
    )
    stage_step("pretrain")()


def plan_damage(project: Path, seed: int, flips: bool) -> Iterator[Attempt]:
    """An endless series: the kinds take turns, and the seed decides file, way and place.

    Args:
        project: a finished run with `write_inputs`.
        seed: of everything random.
        flips: whether to flip single bits; otherwise larger damage.
    """
    ways = FLIPS if flips else DAMAGE
    title = "bit flips" if flips else "damaged"
    for number in itertools.count():
        name = list(KINDS)[number % len(KINDS)]
        way = list(ways)[(number + number // len(KINDS)) % len(ways)]
        random = generator(seed, title, number)
        paths = sorted(path for path in project.glob(KINDS[name].pattern) if path.is_file())
        if not paths:
            continue
        path = paths[int(random.integers(len(paths)))].relative_to(project).as_posix()
        line = KINDS[name].steps[int(random.integers(len(KINDS[name].steps)))]
        place = f"attempt {number} (seed {seed}): {path}: {way}, read by {line}"
        yield Attempt(
            f"{title}: {name}",
            place,
            partial(_damage, project, KINDS[name], path, ways, way, line, random),
        )


def _damage(
    project: Path,
    kind: Kind,
    path: str,
    ways: Mapping[str, Way],
    way: str,
    line: str,
    random: np.random.Generator,
    folder: Path,
) -> tuple[str, str]:
    """Damage one file of a copy, run a step, and judge it."""
    copy = copy_everything(project, folder)
    step, outputs = step_of(line)
    done = ways[way](copy / path, random)
    kept = [name for name in ("data", "models", "metrics") if (copy / name).exists()]
    before = digests(copy, kept)
    ended = run_step(step, copy)
    after = digests(copy, kept)
    found, expected = digests(copy, outputs), _reference(project, line)
    verdict, note = judge(ended, kind, way, found, expected, copy)
    written = outputs if ended.code == 0 else GATES
    lost = lost_files(before, after, (path, *written))
    if lost:
        return "lost", f"{done}: {lost[0]} was changed by {line}"
    return verdict, f"{done}: {note}"
