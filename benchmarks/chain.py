"""What the chain costs: from nothing to metrics in a fresh clone, then again with nothing to do.

    python -m benchmarks.chain

Clones the committed HEAD, runs `dvc repro` on the phantom cohort with an empty cache (installation is not counted) and
lists the time of each stage; then takes the median of 5 runs of `dvc repro` with nothing to do, and of `dvc status`
in turn with them. Takes about 4 minutes on 2 cores; leave the machine alone meanwhile.
"""

import re
from statistics import median

from benchmarks import clone
from graft.console import run, say

COLD_S = 240  # seconds, at most
PEAK_BYTES = 4e9  # of all processes together, at most
IDLE_RATIO = 1.5  # `dvc repro` with nothing to do over `dvc status`, at most
REPEATS = 5


def main() -> None:
    with clone.fresh() as folder:
        clone.note(f"dvc repro in a clone of {clone.commit(folder)[:7]}, which takes minutes")
        cold = clone.measure(folder, "dvc", "repro")
        for stage, seconds in stage_times(cold):
            say(f"{stage:40} {seconds:7.1f} s")
        say(f"{'cold chain':40} {cold.seconds:7.1f} s  {_aim(cold.seconds, COLD_S, 's')}")
        say(
            f"{'peak memory of all processes':40} {cold.peak / 1e9:7.2f} GB {_aim(cold.peak / 1e9, PEAK_BYTES / 1e9, 'GB')}"
        )
        costs = [
            [clone.measure(folder, "dvc", word).seconds for word in ("repro", "status")]
            for _ in range(REPEATS)
        ]
    repro, status = (median(seconds) for seconds in zip(*costs, strict=True))
    say(f"{'dvc repro with nothing to do, median':40} {repro:7.2f} s")
    say(f"{'dvc status, median':40} {status:7.2f} s")
    say(f"{'ratio':40} {repro / status:7.2f}    {_aim(repro / status, IDLE_RATIO, 'x')}")


def stage_times(cost: clone.Cost) -> list[tuple[str, float]]:
    """Each stage with its seconds, from DVC's line that it runs to the next such line; saving its outs included."""
    starts = [
        (found[1], at)
        for at, line in cost.lines
        if (found := re.match(r"Running stage '(.+)':", line))
    ]
    ends = [at for _, at in starts[1:]] + [cost.seconds]
    return [(stage, end - at) for (stage, at), end in zip(starts, ends, strict=True)]


def _aim(found: float, most: float, unit: str) -> str:
    return f"(aim: at most {most:g} {unit}; {'met' if found <= most else 'missed'})"


if __name__ == "__main__":
    run(main)
