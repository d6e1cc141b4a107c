"""The command of the benchmark."""

import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
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
            outcomes = []
            bombs = make_bombs(workdir, 600, heavy=True) if damaged else {}
            for numbers in (range(damaged // 2), range(damaged // 2, damaged)):
                outcomes.append(attack(served, known, numbers, at_once, bombs, workdir, seed))
                say(f"memory after damaged uploads: {served.memory():.0f} MiB, idle {idle:.0f} MiB")
            status = served.end()
        faults = _report_damage(outcomes, status)
    if faults or status:
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


def _report_damage(outcomes: Sequence[Outcome], status: int) -> list[str]:
    """Report what damaged uploads did, and return what should not have happened."""
    statuses = sum((outcome.statuses for outcome in outcomes), Counter())
    kinds = sum((outcome.kinds for outcome in outcomes), Counter())
    good = sum(outcome.good for outcome in outcomes)
    say(f"kinds: {', '.join(f'{kind} {n}' for kind, n in sorted(kinds.items()))}")
    say(f"statuses: {', '.join(f'{n} with {code}' for code, n in sorted(statuses.items()))}")
    say(f"{good} good requests among them were answered rightly")
    say(f"the service ended with {status} after SIGTERM")
    faults = [fault for outcome in outcomes for fault in outcome.faults]
    for fault in faults[:MOST_SHOWN]:
        say(f"fault: {fault}")
    sent = sum(outcome.sent for outcome in outcomes)
    what = f"harm of {sent} damaged uploads: crashes, tracebacks, mixed or wrong answers"
    report(Comparison(what, "", float(len(faults)), "", None, bound=0))
    return faults
