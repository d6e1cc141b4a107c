"""Independent work in parallel: in processes of this machine, or on a Dask cluster.

The cluster is used if GRAFT_SCHEDULER is set, such as to `tcp://host:8786`. Its workers need this
folder under the same path. Otherwise GRAFT_WORKERS says how many processes run, by default one per
core. Every piece of work runs with one thread, so its bytes are the same wherever it runs.
"""

import functools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from graft.common.files import InputError

SCHEDULER = "GRAFT_SCHEDULER"
WORKERS = "GRAFT_WORKERS"

Item = TypeVar("Item")
Result = TypeVar("Result")
Show = Callable[[int], None]  # gets the number of finished items


def run_parallel(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    show: Show | None = None,
    sequential: bool = False,
) -> list[Result]:
    """Apply a function to each item, and return the results in the order of the items.

    Args:
        function: of a module, or a `functools.partial` of one. It may run in another process, which
            has the same working directory unless it is one of a cluster.
        items: what it is applied to. Items and results are sent between processes, so large arrays
            belong in files.
        show: is called as items finish.
        sequential: whether all of it runs in this process, as on one GPU.

    Raises:
        InputError: if a worker was killed, or a variable is wrong.
    """
    show = show or _show_nothing
    address = os.environ.get(SCHEDULER)
    workers = 1 if sequential else min(count_workers(), len(items))
    if sequential or (workers <= 1 and not address):
        return _run_here(function, items, show)
    with _cluster(address) if address else _processes(workers):
        return _run_elsewhere(function, items, show)


def count_workers() -> int:
    """The number of processes on this machine: GRAFT_WORKERS, or one per core.

    Raises:
        InputError: if GRAFT_WORKERS is no whole number above 0.
    """
    wanted = os.environ.get(WORKERS)
    if not wanted:
        from joblib import cpu_count  # respects affinity and the limits of a container

        return cpu_count()
    if not wanted.isdecimal() or int(wanted) < 1:
        raise InputError(f"{WORKERS}: got {wanted!r}, expected a whole number above 0")
    return int(wanted)


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


def _run_here(function: Callable[[Item], Result], items: Sequence[Item], show: Show) -> list:
    results = []
    with one_thread():
        for done, item in enumerate(items, start=1):
            results.append(function(item))
            show(done)
    return results


def _run_elsewhere(function: Callable[[Item], Result], items: Sequence[Item], show: Show) -> list:
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    class Shown(Parallel):
        def print_progress(self) -> None:  # joblib calls it whenever work is finished
            show(self.n_completed_tasks)

    run = delayed(functools.partial(_with_one_thread, function))
    try:
        return Shown()(run(item) for item in items)
    except TerminatedWorkerError as error:
        raise InputError(
            "a worker process was killed, perhaps because the memory was full; what was finished "
            f"is kept: run the same command again, with a lower {WORKERS} if memory is short"
        ) from error


def _with_one_thread(function: Callable[[Item], Result], item: Item) -> Result:
    with one_thread():
        return function(item)


def _processes(workers: int) -> Any:
    from joblib import parallel_config

    return parallel_config(backend="loky", n_jobs=workers, inner_max_num_threads=1)


def _cluster(address: str) -> Any:
    from joblib import parallel_config

    try:
        return parallel_config(backend="dask", scheduler_host=address)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{SCHEDULER}: no scheduler answers at {address!r}, expected tcp://host:port"
        ) from error


def _show_nothing(done: int) -> None:
    pass
