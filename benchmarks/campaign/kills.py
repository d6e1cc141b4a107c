"""Kills: the same `dvc repro` is killed again and again, and at last runs to its end.

A kill is SIGKILL at a random moment. It hits everything, the stage alone (as when memory runs out)
or DVC alone, which leaves the stage running beside the next run. The files of the last run must be
those of an undisturbed run. Trainings take longer than in the other attacks and save a checkpoint
after every epoch, so that many kills leave something to resume from.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from ruamel.yaml import YAML

from benchmarks.campaign.attempts import Attempt
from benchmarks.campaign.project import change_parameters, digests, record, run_all
from benchmarks.campaign.steps import OUTPUTS, dvc_name
from graft.common.seeds import generator

REPRO = ("dvc", "repro", "--no-run-cache")
VICTIMS = ("everything", "everything", "the stage", "dvc")
IN_A_ROW = 10  # kills before a run may end
MOMENTS = (0.1, 1.3)  # of a kill, as shares of the seconds that DVC usually needs for one stage
RUNS_PER_KILL = 5  # some runs end before their kill
# What DVC says if it was killed while it wrote one of its files.
CUT = ("'./dvc.lock' validation failed", "Unable to read RWLock-file")
NOT_COPIED = (".graft", "forms", "published", "references")
SECONDS = 1800.0  # of a run that is not killed, on a busy machine
RESUMES = (".graft/checkpoints", ".graft/trainings")
KILLED = [
    line for line in OUTPUTS if line not in ("parameters", "split lung", "split liver", "report")
]
FIRST = KILLED[: KILLED.index("evaluate")]  # the first stages of sequences; the others follow
LONGER: dict[str, Any] = {
    f"{section}.{key}": 25
    for section in ("pretrain", "finetune", "regularize", "ensemble")
    for key in ("epochs", "patience")
} | {"self_supervise.epochs": 25}
SAVES = "graft/training/checkpoint.py", "SAVE_EVERY_S = 10.0", "SAVE_EVERY_S = 0.0"


def plan_kills(project: Path, seed: int, kills: int) -> Iterator[Attempt]:
    """Sequences of kills. Each begins at another stage and goes on with those that follow it."""
    longer = longer_run(project)
    usual = _usual_seconds(longer)
    for number, done in enumerate(range(0, kills, IN_A_ROW)):
        times = min(IN_A_ROW, kills - done)
        random = generator(seed, "kills", number)
        line = FIRST[int(random.integers(len(FIRST)))]
        yield Attempt(
            "kill: dvc repro",
            f"sequence {number} (seed {seed}): {times} kills of {line} and later stages",
            partial(_kill_again_and_again, longer, line, usual, random, times),
            times,
        )


def longer_run(project: Path) -> Path:
    """A copy of the tiny run whose trainings take longer and save after every epoch."""
    longer = project.with_name("longer")
    if longer.exists():
        return longer
    shutil.copytree(project, longer, symlinks=True, ignore=shutil.ignore_patterns(*NOT_COPIED))
    name, slow, often = SAVES
    code = (longer / name).read_text()
    if slow not in code:
        raise RuntimeError(f"{name}: has no {slow!r}")
    (longer / name).write_text(code.replace(slow, often))
    change_parameters(longer / "params.yaml", LONGER)
    run_all(longer)
    shutil.rmtree(longer / ".graft")
    return longer


def _usual_seconds(project: Path) -> float:
    """Record the finished run in DVC, and return the seconds that one stage usually takes."""
    record(project, ["report"])
    forget(project, ["finetune scratch"])
    began = time.monotonic()
    subprocess.run(REPRO, cwd=project, check=True, capture_output=True)
    return time.monotonic() - began


def forget(folder: Path, lines: list[str]) -> None:
    """Remove stages from dvc.lock, so that `dvc repro` runs them."""
    yaml = YAML(typ="safe")
    path = folder / "dvc.lock"
    content = yaml.load(path)
    for line in lines:
        content["stages"].pop(dvc_name(line), None)
    with path.open("w") as file:
        yaml.dump(content, file)


def _kill_again_and_again(
    project: Path, line: str, usual: float, random: np.random.Generator, times: int, folder: Path
) -> tuple[str, str]:
    copy = folder / "copy"
    shutil.copytree(project, copy, symlinks=True)
    forget(copy, list(OUTPUTS)[list(OUTPUTS).index(line) :])
    lock = (copy / "dvc.lock").read_bytes()
    kills = resumes = runs = 0
    before: subprocess.Popen | None = None  # its stage may still run
    while kills < times and runs < RUNS_PER_KILL * times:
        runs += 1
        running = _start(copy)
        time.sleep(usual * random.uniform(*MOMENTS))
        hit = _hit(running, VICTIMS[int(random.integers(len(VICTIMS)))])
        _kill_group(before)
        before = running
        if hit:
            kills += 1
            resumes += any(list((copy / name).rglob("*.*")) for name in RESUMES)
        else:  # it ended first, or a kill cut a file of DVC
            _repair(copy, lock)
    verdict, note = _run_to_the_end(project, copy, before, lock)
    if kills < times:
        return "lost", f"only {kills} kills in {runs} runs; {note}"
    return verdict, f"{kills} kills, {resumes} of them left something to resume from; {note}"


def _start(copy: Path) -> subprocess.Popen:
    nowhere = subprocess.DEVNULL
    return subprocess.Popen(REPRO, cwd=copy, stdout=nowhere, stderr=nowhere, start_new_session=True)


def _hit(running: subprocess.Popen, victim: str) -> bool:
    """Kill, wait for the end of DVC, and return whether anything was there to be killed."""
    hit = running.poll() is None
    if hit and victim == "the stage":
        children = psutil.Process(running.pid).children(recursive=True)
        stages = [child for child in children if "stages." in " ".join(child.cmdline())]
        hit = bool(stages)
        for stage in stages:
            stage.kill()
    elif hit and victim == "dvc":
        running.kill()
    elif hit:
        _kill_group(running)
    running.wait()
    return hit


def _kill_group(running: subprocess.Popen | None) -> None:
    if running is None:
        return
    try:
        os.killpg(running.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _repair(copy: Path, lock: bytes) -> None:
    """Do what docs/dvc.md says if a kill cut a file of DVC."""
    (copy / "dvc.lock").write_bytes(lock)
    (copy / ".dvc/tmp/rwlock").unlink(missing_ok=True)


def _repro(copy: Path) -> subprocess.CompletedProcess:
    return subprocess.run(REPRO, cwd=copy, capture_output=True, text=True, timeout=SECONDS)


def _run_to_the_end(
    project: Path, copy: Path, before: subprocess.Popen | None, lock: bytes
) -> tuple[str, str]:
    """Run `dvc repro` until it ends, and compare all outputs."""
    try:
        done = _repro(copy)
        if any(message in done.stderr for message in CUT):
            _repair(copy, lock)
            done = _repro(copy)
    except subprocess.TimeoutExpired:
        return "hang", f"dvc repro did not end within {SECONDS:.0f} s"
    finally:
        _kill_group(before)
    if done.returncode:
        last = " ".join((done.stdout + done.stderr).split())[-300:]
        return "lost", f"the last run ended with {done.returncode}: {last}"
    names = [name for outputs in OUTPUTS.values() for name in outputs]
    before_kills, after = digests(project, names), digests(copy, names)
    differing = [name for name in before_kills if after.get(name) != before_kills[name]]
    if differing:
        return "wrong", f"{differing[0]} and {len(differing) - 1} more differ"
    return "survived", "the same bytes"
