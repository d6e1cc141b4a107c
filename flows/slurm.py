"""Dask workers as SLURM jobs for `python -m flows.sweep --scheduler`: adapt it to your cluster.

    pip install dask-jobqueue
    python -m flows.slurm

Prints the scheduler's address and stays until it is interrupted. Run it in graft's environment,
from the root of a clone that the compute nodes can read. Each job is one worker that runs one
point at a time.
"""

import signal

from flows.command_line import run_command_line

QUEUE = "gpu"
POINTS_AT_ONCE = 8


def main() -> None:
    """Start a Dask scheduler whose workers are SLURM jobs, started and ended on demand."""
    from dask_jobqueue import SLURMCluster  # an optional package

    with SLURMCluster(
        queue=QUEUE,
        cores=1,  # points at once in a job
        job_cpu=4,  # what the stages of a point may use
        memory="16GB",
        walltime="04:00:00",
        job_extra_directives=["--gpus=1"],
    ) as cluster:
        cluster.adapt(maximum=POINTS_AT_ONCE)
        print(cluster.scheduler_address, flush=True)
        signal.pause()


if __name__ == "__main__":
    run_command_line(main)
