"""Full disks: a stage that writes runs with too little space, then again with enough.

Half of the attempts use a tmpfs of a few megabytes, if this user may mount one. The others limit
the size of a file, which fails in the same calls. No disk is filled.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.campaign.attempts import Attempt, Ended, run_step
from benchmarks.campaign.project import copy_project, digests
from benchmarks.campaign.steps import OUTPUTS, stage_step
from graft.common.seeds import generator
from graft.console import say

LEAST_BYTES = 4096  # what a stage prints goes to a file as well
WRITERS = [line for line in OUTPUTS if line not in ("parameters", "split lung")]


def plan_disks(project: Path, seed: int) -> Iterator[Attempt]:
    """An endless series: the stages take turns."""
    mounts = can_mount(project.parent)
    if not mounts:
        say("full disks: no tmpfs can be mounted here, so only the size of files is limited")
    number = 0
    while True:
        line = WRITERS[number % len(WRITERS)]
        random = generator(seed, "disks", number)
        sizes = [path.stat().st_size for name in OUTPUTS[line] for path in _files(project / name)]
        if mounts and number % 2 == 0:
            space = int(random.integers(sum(sizes) + 1))
            place = f"{line} with {space} bytes left on a tmpfs"
            yield Attempt("full disk: tmpfs", place, partial(_on_tmpfs, project, line, space))
        else:
            limit = int(random.integers(LEAST_BYTES, max([*sizes, LEAST_BYTES]) + 2))
            place = f"{line} with files of at most {limit} bytes"
            yield Attempt("full disk: file size", place, partial(_limited, project, line, limit))
        number += 1


def can_mount(folder: Path) -> bool:
    """Whether this user may mount a tmpfs."""
    place = folder / "mount"
    place.mkdir(exist_ok=True)
    if not shutil.which("mount") or _mount(place, 1 << 20):
        return False
    return not _unmount(place)


def _mount(place: Path, size: int, *more: str) -> int:
    options = ",".join([*more, f"size={size}"])
    command = ["mount", "-t", "tmpfs", "-o", options, "graft-campaign", str(place)]
    return subprocess.run(command, capture_output=True).returncode


def _unmount(place: Path) -> int:
    return subprocess.run(["umount", "--lazy", str(place)], capture_output=True).returncode


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return [file for file in path.rglob("*") if file.is_file()]


def _limited(project: Path, line: str, limit: int, folder: Path) -> tuple[str, str]:
    copy = copy_project(project, folder)
    ended = run_step(stage_step(line), copy, file_bytes=limit)
    return _judge(project, copy, line, ended)


def _on_tmpfs(project: Path, line: str, space: int, folder: Path) -> tuple[str, str]:
    disk = folder / "disk"
    disk.mkdir()
    if _mount(disk, 1 << 28):
        return "survived", "skipped: no tmpfs can be mounted"
    try:
        copy = copy_project(project, disk)
        used = shutil.disk_usage(disk).used
        _mount(disk, used + space, "remount")  # rounded up to a page
        moved = folder / "printed"
        moved.mkdir()
        ended = _run_elsewhere(line, copy, moved)
        _mount(disk, 1 << 28, "remount")
        return _judge(project, copy, line, ended)
    finally:
        _unmount(disk)


def _run_elsewhere(line: str, copy: Path, printed: Path) -> Ended:
    """Run a stage whose output goes to another disk, as that of a terminal does."""

    def step() -> None:
        os.chdir(copy)
        stage_step(line)()

    return run_step(step, printed)


def _judge(project: Path, copy: Path, line: str, ended: Ended) -> tuple[str, str]:
    """The first run may refuse. The second one, with enough space, must give the result."""
    fault = ended.fault()
    if fault:
        return fault
    if ended.refused() and not any(name in ended.err for name in (*OUTPUTS[line], ".graft")):
        return "traceback", f"the message names no output of the stage: {ended.err.strip()}"
    partial_ones = [path.name for path in copy.rglob(".*.partial")]
    if partial_ones:
        return "lost", f"{partial_ones[0]} was left"
    expected = digests(project, OUTPUTS[line])
    if ended.code == 0 and digests(copy, OUTPUTS[line]) != expected:
        return "wrong", "another result without a message"
    again = run_step(stage_step(line), copy)
    if again.code or digests(copy, OUTPUTS[line]) != expected:
        return "lost", f"the next run gives another result {again.err.strip()}"
    return "survived", ended.err.strip() or "there was enough space"
