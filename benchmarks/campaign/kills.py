"""Kills: SIGKILL at a random moment of a real `dvc repro`, then `dvc repro` again.

A kill hits everything, the stage alone (as when memory runs out) or DVC alone, which leaves the
stage running. The files of the second run must be those of an undisturbed run.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
from ruamel.yaml import YAML

from benchmarks.campaign.attempts import Attempt
from benchmarks.campaign.project import digests, record
from benchmarks.campaign.steps import OUTPUTS, dvc_name
from graft.common.seeds import generator

REPRO = ("dvc", "repro", "--no-run-cache")
VICTIMS = ("everything", "everything", "the stage", "dvc")
NOT_COPIED = (".graft", "forms", "published", "references")
SECONDS = 300.0  # of a run that is not killed
KILLED = [
    line for line in OUTPUTS if line not in ("parameters", "split lung", "split liver", "report")
]


def plan_kills(project: Path, seed: int) -> Iterator[Attempt]:
    """An endless series: the stages take turns, every tenth attempt runs several of them."""
    recorded = project.with_name("recorded")
    shutil.copytree(project, recorded, symlinks=True, ignore=shutil.ignore_patterns(*NOT_COPIED))
    usual = prepare_dvc(recorded)
    shutil.copy(recorded / "dvc.lock", project)  # which damaged files include
    number = 0
    while True:
        random = generator(seed, "kills", number)
        line = KILLED[number % len(KILLED)]
        victim = VICTIMS[int(random.integers(len(VICTIMS)))]
        share = float(random.uniform(0.05, 1.0))
        several = number % 10 == 9
        place = f"attempt {number} (seed {seed}): {line}{' and later ones' if several else ''}: "
        yield Attempt(
            f"kill: {victim}",
            f"{place}{victim} after {share:.2f} of {usual:.1f} s",
            partial(_kill, recorded, line, several, victim, share * usual),
        )
        number += 1


def prepare_dvc(project: Path) -> float:
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
        content["stages"].pop(dvc_name(line))
    with path.open("w") as file:
        yaml.dump(content, file)


def _kill(
    project: Path, line: str, several: bool, victim: str, seconds: float, folder: Path
) -> tuple[str, str]:
    copy = folder / "copy"
    shutil.copytree(project, copy, symlinks=True)
    later = list(OUTPUTS)[list(OUTPUTS).index(line) :]
    forget(copy, later if several else [line])
    running = subprocess.Popen(
        REPRO,
        cwd=copy,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    time.sleep(seconds)
    hit = _hit(running, victim)
    if victim != "dvc":
        running.wait()
    verdict, note = _run_again(project, copy)
    _hit(running, "everything")
    return verdict, f"{'killed' if hit else 'ended first'}; {note}"


def _hit(running: subprocess.Popen, victim: str) -> bool:
    """Kill, and return whether anything was there to be killed."""
    if victim == "everything":
        return _kill_group(running.pid)
    if running.poll() is not None:
        return False
    if victim == "dvc":
        running.kill()
        running.wait()
        return True
    children = psutil.Process(running.pid).children(recursive=True)
    stages = [child for child in children if "stages." in " ".join(child.cmdline())]
    for stage in stages:
        stage.kill()
    return bool(stages)


def _kill_group(group: int) -> bool:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def _run_again(project: Path, copy: Path) -> tuple[str, str]:
    """Run `dvc repro` until it ends, and compare all outputs."""
    try:
        done = subprocess.run(REPRO, cwd=copy, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return "hang", f"dvc repro did not end within {SECONDS:.0f} s"
    if done.returncode:
        last = " ".join((done.stdout + done.stderr).split())[-300:]
        return "lost", f"the second run ended with {done.returncode}: {last}"
    names = [name for outputs in OUTPUTS.values() for name in outputs]
    before, after = digests(project, names), digests(copy, names)
    differing = [name for name in before if after.get(name) != before[name]]
    if differing:
        return "wrong", f"{differing[0]} and {len(differing) - 1} more differ"
    return "survived", "the same bytes"
