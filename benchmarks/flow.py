"""What Prefect costs and gains: the flow beside `dvc repro`, from nothing and with nothing to do.

    python -m benchmarks.flow

Runs the pipeline on the phantom cohort in clones of the committed HEAD with empty caches, by `dvc repro` and by
`python -m flows.pipeline`, whose independent stages run side by side: with one thread a training stage
(OMP_NUM_THREADS=1), so that there are cores for two of them, and with as many threads as cores, so that one alone fills
the machine. Then the median of 3 runs of the flow with nothing to do. The start of Prefect's embedded server counts
each time, the making of its database, once in a user's life, does not. Takes about 12 minutes on 2 cores; leave the
machine alone meanwhile.
"""

from statistics import median

from benchmarks import clone
from graft.console import run, say

FLOW = ("python", "-m", "flows.pipeline")
THREADS = {"one thread a stage": {"OMP_NUM_THREADS": "1"}, "all threads": {}}
IDLE_S = 15  # seconds, at most
REPEATS = 3


def main() -> None:
    for title, settings in THREADS.items():
        with clone.fresh() as folder:
            clone.note(
                f"{title}: dvc repro in a clone of {clone.commit(folder)[:7]}, which takes minutes"
            )
            alone = clone.measure(folder, "dvc", "repro", settings=settings).seconds
        with clone.fresh() as folder:
            settings = {**settings, "PREFECT_HOME": str(folder.parent / "prefect")}
            clone.measure(
                folder, "prefect", "server", "database", "upgrade", "--yes", settings=settings
            )
            clone.note(f"{title}: the flow in another")
            flow = clone.measure(folder, *FLOW, settings=settings).seconds
            idle = median(
                clone.measure(folder, *FLOW, settings=settings).seconds for _ in range(REPEATS)
            )
        say(f"{title + ', dvc repro from nothing':45} {alone:7.1f} s")
        say(
            f"{title + ', the flow from nothing':45} {flow:7.1f} s  {alone / flow:.2f} times as fast"
        )
    verdict = "met" if idle <= IDLE_S else "missed"
    say(
        f"{'the flow with nothing to do, median':45} {idle:7.1f} s  (aim: at most {IDLE_S} s; {verdict})"
    )


if __name__ == "__main__":
    run(main)
