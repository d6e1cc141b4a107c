"""Kills of a stage that runs without DVC, which take seconds each."""

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.campaign.attempts import Attempt, run_step
from benchmarks.campaign.kills import KILLED
from benchmarks.campaign.project import copy_project, digests
from benchmarks.campaign.steps import OUTPUTS, stage_step
from graft.common.seeds import generator

STAGE_SECONDS = 3.0  # within which most stages of the tiny run end


def plan_stage_kills(project: Path, seed: int) -> Iterator[Attempt]:
    """An endless series of kills of a stage without DVC, which take seconds each."""
    number = 0
    while True:
        random = generator(seed, "stage kills", number)
        line = KILLED[number % len(KILLED)]
        seconds = float(random.uniform(0.05, STAGE_SECONDS))
        place = f"attempt {number} (seed {seed}): {line} after {seconds:.2f} s"
        run = partial(_kill_stage, project, line, seconds)
        yield Attempt("kill: a stage without dvc", place, run)
        number += 1


def _kill_stage(project: Path, line: str, seconds: float, folder: Path) -> tuple[str, str]:
    copy = copy_project(project, folder)
    shutil.rmtree(copy / ".graft", ignore_errors=True)
    for name in OUTPUTS[line]:  # as DVC does before it runs a stage
        remove(copy / name)
    run_step(partial(_save_often_and_run, line), copy, seconds)
    ended = run_step(stage_step(line), copy)
    if ended.fault() or ended.code:
        return "lost", f"the next run ended with {ended.code}: {ended.err.strip()[-300:]}"
    if digests(copy, OUTPUTS[line]) != digests(project, OUTPUTS[line]):
        return "wrong", "the next run gives other bytes"
    left = [path.name for path in copy.rglob(".*.partial")]
    return ("lost", f"{left[0]} was left") if left else ("survived", "the same bytes")


def _save_often_and_run(line: str) -> None:
    """Run a stage that saves a checkpoint after every epoch."""
    from graft.training import checkpoint

    checkpoint.SAVE_EVERY_S = 0.0
    stage_step(line)()


def remove(path: Path) -> None:
    """Delete a file or a folder."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
