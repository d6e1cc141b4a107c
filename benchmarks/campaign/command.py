"""The command line of the campaign, and its table."""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice, repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.campaign.attempts import FAILURES, Attempt, Table
from benchmarks.campaign.damaged import plan_damage, write_inputs
from benchmarks.campaign.disks import plan_disks
from benchmarks.campaign.hostile import plan_hostile
from benchmarks.campaign.kills import plan_kills
from benchmarks.campaign.parameters import plan_parameters
from benchmarks.campaign.project import ENVIRONMENT, prepare
from benchmarks.campaign.stage_kills import plan_stage_kills
from graft.console import say

_attempts: list[Attempt] = []  # of the present run; forked workers find theirs by number


def main(
    kills: Annotated[int, typer.Option(help="SIGKILL of dvc repro, ten times in a row.")] = 10,
    stage_kills: Annotated[int, typer.Option(help="The same without DVC.")] = 20,
    disks: Annotated[int, typer.Option(help="Stages on a full disk.")] = 12,
    damage: Annotated[int, typer.Option(help="Damaged files and flipped bits.")] = 160,
    parameters: Annotated[int, typer.Option(help="Wrong parameters.")] = 60,
    hostile: Annotated[int, typer.Option(help="Hostile files; there are 64.")] = 40,
    seed: Annotated[int, typer.Option(help="Decides every attempt.")] = 1,
    jobs: Annotated[int, typer.Option(help="Attempts at the same time.")] = 2,
    only: Annotated[str, typer.Option(help="Only kinds that contain this text.")] = "",
) -> None:
    """Attack graft with kills, full disks, damaged files, wrong parameters and hostile files.

    Prints how many attempts of each kind graft survived, and a line for each one that it did not.
    The exit status is 1 if there is such a line. The docstring of benchmarks.campaign defines the
    columns.
    """
    os.environ.update(ENVIRONMENT)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="graft-campaign-") as parent:
        folder = Path(parent)
        project = prepare(folder)
        write_inputs(project)
        attempts = plan(project, seed, kills, stage_kills, disks, damage, parameters, hostile)
        chosen = [attempt for attempt in attempts if only in attempt.kind]
        say(f"a tiny run is prepared; {len(chosen)} attempts follow")
        table = make_attempts(chosen, folder, jobs)
    for line in table.failures:
        say(line)
    print_table(table)
    say(f"{time.perf_counter() - began:.0f} s")
    sys.exit(1 if table.failures else 0)


def plan(
    project: Path,
    seed: int,
    kills: int,
    stage_kills: int,
    disks: int,
    damage: int,
    parameters: int,
    hostile: int,
) -> list[Attempt]:
    """The attempts of all kinds."""
    flips = damage // 2
    return [
        *(plan_kills(project, seed, kills) if kills else ()),
        *(plan_stage_kills(project, seed, stage_kills) if stage_kills else ()),
        *islice(plan_disks(project, seed), disks),
        *islice(plan_damage(project, seed, flips=False), damage - flips),
        *islice(plan_damage(project, seed, flips=True), flips),
        *islice(plan_parameters(project, seed), parameters),
        *islice(plan_hostile(project), hostile),
    ]


def make_attempts(attempts: Sequence[Attempt], folder: Path, jobs: int) -> Table:
    """Make all attempts, some at the same time, each in a folder of its own."""
    _attempts[:] = attempts
    table = Table()
    numbers = range(len(attempts))
    folders = repeat(folder)
    with ProcessPoolExecutor(jobs, get_context("fork")) as pool:
        results = pool.map(_make_attempt, numbers, folders)
        for number, attempt, (verdict, note) in zip(numbers, attempts, results, strict=True):
            table.add(attempt, verdict, note)
            if verdict in FAILURES:
                print(table.failures[-1], file=sys.stderr, flush=True)
            elif attempt.times > 1:
                print(f"{attempt.place}: {note}", file=sys.stderr, flush=True)
            if sys.stderr.isatty() or number % 50 == 49:
                print(f"{number + 1} of {len(attempts)}", file=sys.stderr, flush=True)
    return table


def _make_attempt(number: int, folder: Path) -> tuple[str, str]:
    """Make one attempt in a worker."""
    place = Path(tempfile.mkdtemp(dir=folder, prefix=f"{number}-"))
    try:
        return _attempts[number].run(place)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def print_table(table: Table) -> None:
    """Print the table with aligned columns."""
    rows = table.rows()
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    for row in rows:
        first, *others = (
            cell.ljust(width) if not k else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        say("  ".join([first, *others]))
