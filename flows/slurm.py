"""Dask workers as SLURM jobs, for `python -m flows.sweep --scheduler ...`: an example to fit to your cluster.

    pip install dask-jobqueue
    python -m flows.slurm

Prints the scheduler's address and stays until it is interrupted. Run it from the root of a clone that the
compute nodes see, in graft's environment. Each job is one worker that runs one point at a time.
"""

import signal

QUEUE = "gpu"
POINTS_AT_ONCE = 8


def main() -> None:
    """Start the scheduler and let SLURM start and end workers as there is work."""
    from dask_jobqueue import SLURMCluster  # not among graft's own requirements

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
    main()
