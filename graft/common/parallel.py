"""Independent work in parallel: in processes of this machine, or on a Dask cluster.

The cluster is used if GRAFT_SCHEDULER is set, such as to `tcp://host:8786`. Otherwise GRAFT_WORKERS
says how many processes run, by default one per core. Every piece of work runs with one thread, so
its bytes are the same wherever it runs on the same kind of processor.
"""

import io
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TypeVar

from graft.common.files import InputError

SCHEDULER = "GRAFT_SCHEDULER"
WORKERS = "GRAFT_WORKERS"
PARENT_CHECK_S = 0.5  # a worker ends at most this time after its parent

Item = TypeVar("Item")
Result = TypeVar("Result")
Finished = tuple[int, str, Result]  # the position of an item, what was printed, and the result


def run_parallel(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    show: Callable[[int], object] | None = None,
    sequential: bool = False,
) -> list[Result]:
    """Apply a function to each item, and return the results in the order of the items.

    What the function prints appears as a whole when an item is finished.

    Args:
        function: of a module that is not the main one, or a `functools.partial` of one. It may run
            in another process, which has the same working directory. It must not depend on
            variables of the environment or on what this process has set.
        items: what it is applied to. Items and results are sent between processes, so large arrays
            belong in files.
        show: is called with the position of each item, from 0, as soon as that item is finished.
        sequential: whether all of it runs in this process, as on one GPU.

    Raises:
        InputError: if a worker was killed, a variable is wrong, or a worker of the cluster has
            other code. An error that `function` raises has the same type and text as here.
    """
    address = os.environ.get(SCHEDULER)
    workers = 1 if sequential or address else min(count_workers(), len(items))
    if sequential or not items or (workers == 1 and not address):
        finished = _run_here(function, items)
    elif address:
        from graft.common.cluster import run_on_cluster  # late: it takes a second

        finished = run_on_cluster(address, function, items)
    else:
        finished = _run_in_processes(function, items, workers)
    results = {}
    for position, printed, result in finished:
        print(printed, end="", flush=True)
        results[position] = result
        if show is not None:
            show(position)
    return [results[position] for position in range(len(items))]


def count_workers() -> int:
    """The number of processes on this machine: GRAFT_WORKERS, or one per core.

    Raises:
        InputError: if GRAFT_WORKERS is no whole number above 0.
    """
    wanted = os.environ.get(WORKERS)
    if not wanted:
        from joblib import cpu_count  # respects affinity and the limits of a container

        return cpu_count()
    if not (wanted.isascii() and wanted.isdecimal()) or int(wanted) < 1:
        raise InputError(f"{WORKERS}: got {wanted!r}, expected a whole number above 0")
    return int(wanted)


def run_one(function: Callable[[Item], Result], position: int, item: Item) -> Finished:
    """Run one piece of work with one thread in a worker, and keep what it prints."""
    printed = io.StringIO()
    with redirect_stdout(printed), one_thread():
        result = function(item)
    return position, printed.getvalue(), result


@contextmanager
def one_thread() -> Iterator[None]:
    """Run the libraries that compute in parallel with one thread.

    The number of threads decides in which order numbers are added, and so the last bits of a sum.
    """
    from threadpoolctl import threadpool_limits

    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch else 1
    with threadpool_limits(1):
        if torch:
            torch.set_num_threads(1)
        try:
            yield
        finally:
            if torch:
                torch.set_num_threads(threads)


def _run_here(function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Finished]:
    for position, item in enumerate(items):
        with one_thread():
            result = function(item)
        yield position, "", result


def _run_in_processes(
    function: Callable[[Item], Result], items: Sequence[Item], workers: int
) -> Iterator[Finished]:
    from joblib import Parallel, delayed, parallel_config
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    # If this process is killed, a process that cleans up after it would list what it deletes.
    os.environ.setdefault("PYTHONWARNINGS", "ignore:resource_tracker")
    settings = parallel_config(
        backend="loky",
        n_jobs=workers,
        inner_max_num_threads=1,
        max_nbytes=None,  # arrays in items are small, so they need no shared memory
        initializer=_start_worker,
        initargs=(os.getpid(), str(Path.cwd())),  # joblib keeps workers while these are the same
    )
    with settings, warnings.catch_warnings():
        # joblib replaces workers whose memory has grown, and cancels work after an error.
        warnings.filterwarnings("ignore", module=r"joblib\.")
        run = Parallel(return_as="generator_unordered", batch_size=1)
        one = delayed(run_one)
        try:
            yield from run(one(function, *numbered) for numbered in enumerate(items))
        except TerminatedWorkerError as error:
            raise InputError(
                "a worker process was killed, perhaps because the memory was full; what was "
                "finished is kept, so run the same command again, "
                f"with a lower {WORKERS} if memory is short"
            ) from error


def _start_worker(parent: int, folder: str) -> None:
    """Work in a folder, and end as soon as the parent has ended, even by SIGKILL, not by Ctrl-C.

    Ctrl-C reaches every process of a terminal. The parent alone handles it and ends its workers.
    """
    os.chdir(folder)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_CHECK_S)
        os._exit(1)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=watch, daemon=True).start()
