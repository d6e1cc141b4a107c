"""Kills of a stage that runs without DVC, which take seconds each."""

import shutil
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.campaign.attempts import Attempt, Ended, run_step
from benchmarks.campaign.kills import IN_A_ROW, KILLED, RESUMES, longer_run
from benchmarks.campaign.project import copy_project, digests
from benchmarks.campaign.steps import OUTPUTS, stage_step
from graft.common.seeds import generator


def plan_stage_kills(project: Path, seed: int, kills: int) -> Iterator[Attempt]:
    """Sequences of kills of one stage, which then runs to its end. The stages take turns."""
    longer = longer_run(project)
    lines = generator(seed, "killed stages").permutation(KILLED)
    for number, done in enumerate(range(0, kills, IN_A_ROW)):
        times = min(IN_A_ROW, kills - done)
        line = str(lines[number % len(lines)])
        random = generator(seed, "stage kills", number)
        yield Attempt(
            "kill: a stage without dvc",
            f"sequence {number} (seed {seed}): {times} kills of {line}",
            partial(_kill_stage, longer, line, random, times),
            times,
        )


def _kill_stage(
    project: Path, line: str, random: np.random.Generator, times: int, folder: Path
) -> tuple[str, str]:
    copy = copy_project(project, folder)
    began = time.monotonic()
    _run_anew(copy, line)
    usual = time.monotonic() - began
    kills = resumes = 0
    while kills < times:
        ended = _run_anew(copy, line, usual * random.uniform(0.05, 1.0))
        if ended.code is None:
            kills += 1
            resumes += any(list((copy / name).rglob("*.*")) for name in RESUMES)
    ended = _run_anew(copy, line)
    note = f"{kills} kills, {resumes} of them left something to resume from"
    if ended.fault() or ended.code:
        return "lost", f"{note}; the last run ended with {ended.code}: {ended.err.strip()[-300:]}"
    if digests(copy, OUTPUTS[line]) != digests(project, OUTPUTS[line]):
        return "wrong", f"{note}; the last run gives other bytes"
    left = [path.name for path in copy.rglob(".*.partial")]
    return ("lost", f"{left[0]} was left") if left else ("survived", f"{note}; the same bytes")


def _run_anew(copy: Path, line: str, *patience: float) -> Ended:
    """Run a stage without its outputs, which DVC deletes first."""
    for name in OUTPUTS[line]:
        remove(copy / name)
    return run_step(partial(_save_often_and_run, line), copy, 600.0, *patience)


def _save_often_and_run(line: str) -> None:
    """Run a stage that saves a checkpoint after every epoch."""
    from graft.training import checkpoint

    checkpoint.SAVE_EVERY_S = 0.0
    stage_step(line)()


def remove(path: Path) -> None:
    """Delete a file or a folder, if there is one."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
