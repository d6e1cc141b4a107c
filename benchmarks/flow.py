"""What Prefect costs and gains: the flow compared with `dvc repro`, from nothing and when idle.

    python -m benchmarks.flow

Runs the pipeline on the phantom cohort in clones of the committed HEAD with empty caches, by
`dvc repro` and by `python -m flows.pipeline`, which runs independent stages in parallel. Each
is run with one thread per training stage (OMP_NUM_THREADS=1), so that there are cores for two
of them, and with as many threads as cores, so that one stage fills the machine. Then it takes
the median of 3 runs of the flow with nothing to do. The start of Prefect's embedded server
counts each time. Creating its database does not count, because a user does it once. Takes many
minutes; run nothing else on the machine meanwhile.
"""

from statistics import median

from benchmarks.clone import fresh_clone, head_commit, measure_command, print_note
from graft.console import run, say

FLOW = ("python", "-m", "flows.pipeline")
CREATE_DATABASE = ("prefect", "server", "database", "upgrade", "--yes")
THREADS = {"one thread a stage": {"OMP_NUM_THREADS": "1"}, "all threads": {}}
IDLE_S = 15  # seconds, at most
REPEATS = 3


def main() -> None:
    """Measure the flow and `dvc repro`, from nothing and with nothing to do."""
    for title, settings in THREADS.items():
        alone = time_dvc(title, settings)
        flow, idle = time_flow(title, settings)
        say(f"{title + ', dvc repro from nothing':45} {alone:7.1f} s")
        speedup = f"{alone / flow:.2f} times as fast"
        say(f"{title + ', the flow from nothing':45} {flow:7.1f} s  {speedup}")
    verdict = "met" if idle <= IDLE_S else "missed"
    aim = f"(aim: at most {IDLE_S} s; {verdict})"
    say(f"{'the flow with nothing to do, median':45} {idle:7.1f} s  {aim}")


def time_dvc(title: str, settings: dict[str, str]) -> float:
    """Return the seconds of `dvc repro` from nothing."""
    with fresh_clone() as folder:
        commit = head_commit(folder)[:7]
        print_note(f"{title}: dvc repro in a clone of {commit}, which takes minutes")
        return measure_command(folder, "dvc", "repro", settings=settings).seconds


def time_flow(title: str, settings: dict[str, str]) -> tuple[float, float]:
    """Return the seconds of the flow from nothing, and their median with nothing to do."""
    with fresh_clone() as folder:
        settings = {**settings, "PREFECT_HOME": str(folder.parent / "prefect")}
        measure_command(folder, *CREATE_DATABASE, settings=settings)
        print_note(f"{title}: the flow in another clone")
        from_nothing = measure_command(folder, *FLOW, settings=settings).seconds
        idle = []
        for _ in range(REPEATS):
            idle.append(measure_command(folder, *FLOW, settings=settings).seconds)
        return from_nothing, median(idle)


if __name__ == "__main__":
    run(main)
