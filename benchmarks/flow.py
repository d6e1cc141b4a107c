"""What Prefect costs and gains: the flow beside `dvc repro`, from nothing and with nothing to do.

    python -m benchmarks.flow

Runs the pipeline on the phantom cohort in two clones of the committed HEAD with empty caches, by `dvc repro` and by
`python -m flows.pipeline`, whose independent stages run side by side; then the median of 3 runs of the flow with
nothing to do, the start of Prefect's embedded server included. Takes about 6 minutes on 2 cores; leave the machine
alone meanwhile.
"""

import os
from statistics import median

from benchmarks import clone
from graft.console import run, say

FLOW = ("python", "-m", "flows.pipeline")
IDLE_S = 15  # seconds, at most
REPEATS = 3


def main() -> None:
    with clone.fresh() as folder:
        clone.note(f"dvc repro in a clone of {clone.commit(folder)[:7]}, which takes minutes")
        alone = clone.measure(folder, "dvc", "repro").seconds
    with clone.fresh() as folder:
        os.environ["PREFECT_HOME"] = str(folder.parent / "prefect")
        clone.note("the flow in another")
        flow = clone.measure(folder, *FLOW).seconds
        idle = median(clone.measure(folder, *FLOW).seconds for _ in range(REPEATS))
    say(f"{'dvc repro, from nothing':40} {alone:7.1f} s")
    say(f"{'the flow, from nothing':40} {flow:7.1f} s  {alone / flow:.2f} times as fast (aim: more than 1)")
    verdict = "met" if idle <= IDLE_S else "missed"
    say(f"{'the flow with nothing to do, median':40} {idle:7.1f} s  (aim: at most {IDLE_S} s; {verdict})")


if __name__ == "__main__":
    run(main)
