"""What the pipeline costs: from nothing in a fresh clone, with nothing to do, and with another λ.

    python -m benchmarks.chain

Clones the committed HEAD, runs `dvc repro` on the phantom cohort with an empty cache
(installation is not counted) and prints the time of each stage. Then it alternates `dvc repro`
with nothing to do and `dvc status`, 5 times each, and prints the medians. At the end it runs an
experiment with another λ. Takes minutes; run nothing else on the machine meanwhile.
"""

import re
from statistics import median

from benchmarks.clone import Cost, fresh_clone, head_commit, measure_command, print_note
from benchmarks.comparison import Comparison, report
from graft.console import run, say

COLD_S = 240  # seconds, at most
EXPERIMENT_S = 75  # of an experiment with another λ, at most
PEAK_GB = 4.0  # of all processes together, at most
IDLE_RATIO = 1.5  # `dvc repro` with nothing to do over `dvc status`, at most
REPEATS = 5


def main() -> None:
    """Measure `dvc repro` from nothing and with nothing to do, and an experiment."""
    repro_seconds = []
    status_seconds = []
    with fresh_clone() as folder:
        print_note(f"dvc repro in a clone of {head_commit(folder)[:7]}, which takes minutes")
        cold = measure_command(folder, "dvc", "repro")
        print_stage_times(cold)
        report(Comparison("the pipeline from nothing", "s", cold.seconds, "", None, bound=COLD_S))
        what = "peak memory of all its processes"
        report(Comparison(what, "GB", cold.peak / 1e9, "", None, bound=PEAK_GB))
        for _ in range(REPEATS):
            repro_seconds.append(measure_command(folder, "dvc", "repro").seconds)
            status_seconds.append(measure_command(folder, "dvc", "status").seconds)
        words = ("dvc", "exp", "run", "-S", "lambda=0.1")
        experiment = measure_command(folder, *words)
        print_stage_times(experiment)
    repro = median(repro_seconds)
    status = median(status_seconds)
    what = "dvc repro with nothing to do"
    note = f"at most {IDLE_RATIO} times as long"
    least = 1 / IDLE_RATIO
    report(Comparison(what, "s", repro, "dvc status", status, least_ratio=least, note=note))
    what = " ".join(words)
    report(Comparison(what, "s", experiment.seconds, "", None, bound=EXPERIMENT_S))


def print_stage_times(cost: Cost) -> None:
    """Print each stage with its seconds."""
    for stage, seconds in stage_times(cost):
        say(f"{stage:40} {seconds:7.2f} s")


def stage_times(cost: Cost) -> list[tuple[str, float]]:
    """Return each stage with its seconds, those that DVC needs to save its outputs included.

    A stage lasts from DVC's line that it runs to the next such line.
    """
    names = []
    starts = []
    for seconds, line in cost.lines:
        found = re.match(r"Running stage '(.+)':", line)
        if found:
            names.append(found[1])
            starts.append(seconds)
    ends = [*starts[1:], cost.seconds]
    times = []
    for name, start, end in zip(names, starts, ends, strict=True):
        times.append((name, end - start))
    return times


if __name__ == "__main__":
    run(main)
