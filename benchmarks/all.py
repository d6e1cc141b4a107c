"""Run every benchmark that takes less than 10 minutes, and write one table.

    make bench
    python -m benchmarks.all --only resamples --only members

Runs one benchmark after the other, each in a process of its own, and writes what it reported into
the table of docs/benchmarks.md as soon as it ends. With --only, the rows of the others are kept. A
benchmark that fails or takes longer than 10 minutes gets a row that says so, the next ones run,
and the exit code is 1. A missed aim is no failure. Run nothing else on the machine meanwhile.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.clone import ROOT, short_revision
from benchmarks.comparison import COLLECTED_IN, read_collected
from benchmarks.finished_run import METRICS
from benchmarks.lung_to_adrenal import VARIABLE
from benchmarks.machine import describe_libraries, describe_machine
from benchmarks.table import Row, comparison_row, note_row, update_table
from graft.common.files import InputError
from graft.console import run, say

DOCUMENT = ROOT / "docs/benchmarks.md"
MOST_S = 600  # of a benchmark


@dataclass(frozen=True)
class Benchmark:
    """A benchmark of the table.

    Attributes:
        name: of its module.
        one_thread: whether it measures single-threaded work.
        needs_gpu: whether it cannot run without a CUDA device.
        needs_run: whether it evaluates the finished run of this folder.
        variable: an environment variable without which it cannot run.
    """

    name: str
    one_thread: bool = False
    needs_gpu: bool = False
    needs_run: bool = False
    variable: str | None = None

    def missing(self) -> str | None:
        """Return what it needs and this machine does not have, or None."""
        import torch  # late, because it is slow

        if self.needs_gpu and not torch.cuda.is_available():
            return "a GPU"
        if self.needs_run and not (ROOT / METRICS).exists():
            return f"a finished run: {METRICS}"
        if self.variable and not os.environ.get(self.variable):
            return self.variable
        return None


BENCHMARKS = (
    Benchmark("preprocessing"),
    Benchmark("epoch", one_thread=True),
    Benchmark("gpu", needs_gpu=True),
    Benchmark("members", one_thread=True),
    Benchmark("parallel_trainings"),
    Benchmark("larger_than_memory", one_thread=True),
    Benchmark("whole_domain", one_thread=True),
    Benchmark("resamples"),
    Benchmark("draws"),
    Benchmark("exported", one_thread=True),
    Benchmark("simulations"),
    Benchmark("patient_effect"),
    Benchmark("shifted_copies", variable=VARIABLE),
    Benchmark("truth", needs_run=True),
    Benchmark("drift", needs_run=True),
    Benchmark("refusal", needs_run=True),
    Benchmark("attacks", needs_run=True),
    Benchmark("growth"),
    Benchmark("strategies"),
    Benchmark("federated"),
    Benchmark("chain"),
    Benchmark("service"),
)


def main(
    only: Annotated[
        list[str] | None,
        typer.Option(help="The benchmark to run; may be given repeatedly (default: all)."),
    ] = None,
) -> None:
    """Run the benchmarks and write the table in docs/benchmarks.md."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the benchmark that runs
    order = [benchmark.name for benchmark in BENCHMARKS]
    for name in only or []:
        if name not in order:
            raise InputError(f"--only: got {name!r}, expected one of {', '.join(order)}")
    chosen = [benchmark for benchmark in BENCHMARKS if benchmark.name in (only or order)]
    failed = measure(chosen, DOCUMENT, order)
    say(f"{len(chosen) - len(failed)} of {len(chosen)} benchmarks are in {DOCUMENT.name}")
    if failed:
        sys.exit(f"error: failed: {', '.join(failed)}")


def measure(chosen: Sequence[Benchmark], document: Path, order: Sequence[str]) -> list[str]:
    """Run benchmarks, write their rows into a document, and return the names of failed ones."""
    revision = short_revision(ignored=DOCUMENT)
    today = date.today().isoformat()
    circumstances = f"{today}, revision {revision}; {describe_machine()}; {describe_libraries()}"
    failed = []
    for number, benchmark in enumerate(chosen, start=1):
        say(f"benchmark {number}/{len(chosen)}: {benchmark.name}, at most {MOST_S // 60} minutes")
        began = time.perf_counter()
        rows, failure = measure_one(benchmark, circumstances)
        update_table(document, benchmark.name, rows, order)
        seconds = time.perf_counter() - began
        say(f"{benchmark.name}: {failure or 'done'} after {seconds:.0f} s")
        if failure:
            failed.append(benchmark.name)
    return failed


def measure_one(
    benchmark: Benchmark, circumstances: str, most_seconds: float = MOST_S
) -> tuple[list[Row], str]:
    """Run a benchmark and return its rows and, if it failed, how."""
    name = benchmark.name
    if missing := benchmark.missing():
        return [note_row(name, f"not run: needs {missing}", circumstances)], ""
    with tempfile.TemporaryDirectory(prefix="graft-") as folder:
        collected = Path(folder) / "comparisons.jsonl"
        settings = {COLLECTED_IN: str(collected)}
        if benchmark.one_thread:
            settings["OMP_NUM_THREADS"] = "1"
        command = [sys.executable, "-m", f"benchmarks.{name}"]
        failure = run_command(command, settings, most_seconds)
        found = read_collected(collected)
    rows = [comparison_row(name, comparison, circumstances) for comparison in found]
    if not failure and not rows:
        failure = "failed: it reported no comparison"
    if failure:
        rows.append(note_row(name, failure, circumstances))
    return rows, failure


def run_command(command: Sequence[str], settings: dict[str, str], most_seconds: float) -> str:
    """Run a command in the checkout and end it and its children in time.

    Returns:
        How it failed, or nothing.
    """
    environment = {**os.environ, **settings}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True)
    try:
        status = process.wait(most_seconds)
    except subprocess.TimeoutExpired:
        return f"failed: it did not end in {most_seconds:g} s"
    finally:
        with suppress(ProcessLookupError):  # nothing of it is left
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return f"failed: it ended with {status}, expected 0" if status else ""


if __name__ == "__main__":
    run(main)
