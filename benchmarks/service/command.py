"""The command of the benchmark."""

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.comparison import Comparison, report
from benchmarks.service.damaged import Outcome, attack, make_bombs
from benchmarks.service.known import make_known, make_model
from benchmarks.service.load import Load, measure_bare, measure_service
from benchmarks.service.served import serving
from graft.console import say

PATIENTS = 12
PEER = "the bare model, one after the other"
MOST_SHOWN = 20


def main(
    model: Annotated[
        Path | None, typer.Option(help="A model folder (default: fresh weights).")
    ] = None,
    requests: Annotated[int, typer.Option(min=1, help="Good requests that are timed.")] = 200,
    at_once: Annotated[int, typer.Option(min=1, help="Requests at a time.")] = 8,
    workers: Annotated[int, typer.Option(min=1, help="Processes of the service.")] = 1,
    damaged: Annotated[int, typer.Option(min=0, help="Damaged uploads.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of scans and damage.")] = 1,
) -> None:
    """Compare the service with the bare model, and send it damaged uploads."""
    with tempfile.TemporaryDirectory(prefix="graft-") as folder:
        workdir = Path(folder)
        if model is None:
            model = workdir / "model"
            make_model(model)
        known = make_known(workdir / "scans", model.resolve(), PATIENTS, seed)
        bare = measure_bare(model.resolve(), known, requests)
        limits = ("--inflated-mib", "512", "--workers", str(workers))
        with serving(model.resolve(), workdir, *limits) as served:
            idle = served.memory()
            alone = measure_service(served, known, requests, 1)
            _report_alone(alone, bare)
            load = measure_service(served, known, requests, at_once)
            _report_load(load, bare, idle, f"{requests} requests, {at_once} at a time")
            bombs = make_bombs(workdir, 600, heavy=True) if damaged else {}
            outcome = attack(served, known, damaged, at_once, bombs, workdir, seed)
            say(
                f"memory: {idle:.0f} MiB idle, {load.memory:.0f} MiB after the good requests, "
                f"{served.memory():.0f} MiB after the damaged ones"
            )
            status = served.end()
        _report_damage(outcome, damaged, status)
    if outcome.faults or status:
        sys.exit(1)


def _report_alone(load: Load, bare: Load) -> None:
    what = f"p50 of {len(load.seconds)} requests, 1 at a time"
    report(Comparison(what, "ms", load.percentile(50), PEER, bare.percentile(50)))


def _report_load(load: Load, bare: Load, idle: float, what: str) -> None:
    for percent in (50, 95):
        report(
            Comparison(
                f"p{percent} of {what}",
                "ms",
                load.percentile(percent),
                PEER,
                bare.percentile(percent),
                note="each waits for those before it",
            )
        )
    count = len(load.seconds)
    report(
        Comparison(what, "per s", count / load.total, PEER, count / bare.total, more_is_better=True)
    )
    report(Comparison("memory", "MiB", load.memory, PEER, bare.memory, note=f"idle: {idle:.0f}"))


def _report_damage(outcome: Outcome, damaged: int, status: int) -> None:
    statuses = ", ".join(f"{count} × {code}" for code, count in sorted(outcome.statuses.items()))
    say(
        f"{damaged} damaged uploads: {statuses or 'none'}; "
        f"{outcome.good} good requests among them were answered rightly"
    )
    say(f"kinds: {', '.join(f'{kind} {n}' for kind, n in sorted(outcome.kinds.items()))}")
    say(f"the service ended with {status} after SIGTERM")
    for fault in outcome.faults[:MOST_SHOWN]:
        say(f"fault: {fault}")
    report(
        Comparison(
            "damaged uploads that did harm", "", float(len(outcome.faults)), "", None, bound=0
        )
    )
