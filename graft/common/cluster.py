"""Work on a Dask cluster whose workers share this folder, under the same path.

joblib has a backend for Dask too, which waits for ever if a worker was killed repeatedly or cannot
load the work.
"""

import asyncio
import logging
import os
import pickle
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from graft.common.code import running_code
from graft.common.files import InputError
from graft.common.shown import first_line, shown

if TYPE_CHECKING:
    from distributed import Client, Future

CONNECT_S = 5
WAIT_FOR_WORKERS_S = 60  # a cluster may start workers only when there is work
ROOT = Path(__file__).parents[2]  # the folder that contains graft
ADDRESS = re.compile(r"(tcp|tls)://[^/\s]+:\d{1,5}")
EXPECTED = "expected the address of a Dask scheduler, such as tcp://host:8786"


def run_on_cluster(
    address: str, function: Callable[[Any], Any], items: Sequence[Any]
) -> Iterator[tuple[int, str, Any]]:
    """Apply a function to each item on the workers of a cluster.

    A worker that is killed costs the item that it was working on, which runs again elsewhere.

    Args:
        address: of the scheduler.
        function: see `graft.common.parallel.run_parallel`.
        items: see there.

    Yields:
        The position of each item, what was printed for it, and its result, as they finish.

    Raises:
        InputError: if no scheduler or worker answers, or a worker has several threads, cannot see
            this folder or has other code.
    """
    from distributed import KilledWorker, as_completed
    from distributed.protocol.pickle import dumps

    client = _connect(address)
    mark = TemporaryDirectory(prefix=".graft-cluster-", dir=Path.cwd())  # who sees it shares it
    try:
        # Bytes, because the scheduler cannot import graft, and a worker has to be told where it is.
        task = _make_task(dumps(function), mark.name, str(ROOT), running_code())
        payloads = [_hide(dumps(item)) for item in items]
        name = getattr(function, "func", function).__name__  # the dashboard shows it
        futures = client.map(task, range(len(items)), payloads, key=name, pure=False)
        _wait_for_worker(client, address)
        for future in as_completed(futures, loop=client.loop):
            yield _result_of(future, address)
    except KilledWorker as error:
        raise InputError(
            f"the workers of {address} were killed several times by one piece of work, perhaps "
            "because the memory was full; what was finished is kept, so run the same command again"
        ) from error
    finally:
        client.close()
        mark.cleanup()


def _connect(address: str) -> "Client":
    from distributed import Client

    for handler in logging.getLogger("distributed").handlers:
        handler.setLevel(logging.CRITICAL)  # an error is one line, which graft writes
    if not ADDRESS.fullmatch(address):
        raise InputError(f"GRAFT_SCHEDULER: got {shown(address)}, {EXPECTED}")
    try:
        kind = asyncio.run(_kind_of_server(address))
    except (OSError, TypeError) as error:  # TypeError: there is no certificate for tls://
        raise InputError(
            f"GRAFT_SCHEDULER: {address} does not answer ({first_line(error)}), {EXPECTED}"
        ) from error
    if kind != "Scheduler":
        raise InputError(f"GRAFT_SCHEDULER: {address} is a {kind}, {EXPECTED}")
    return Client(address, timeout=CONNECT_S, set_as_default=False)


async def _kind_of_server(address: str) -> str:
    """Ask a server what it is. The timeout of a Client does not cover a server of another kind."""
    from distributed import Security, rpc

    security = Security().get_connection_args("client")  # of tls://, from Dask's configuration
    async with rpc(address, timeout=CONNECT_S, connection_args=security) as server:
        identity = await asyncio.wait_for(server.identity(), CONNECT_S)
    return identity["type"]


def _wait_for_worker(client: "Client", address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=WAIT_FOR_WORKERS_S)
    except TimeoutError as error:
        raise InputError(
            f"GRAFT_SCHEDULER: the scheduler {address} has no workers, expected at least one "
            f"within {WAIT_FOR_WORKERS_S} s"
        ) from error


def _hide(item: bytes) -> Callable[[], bytes]:
    """Wrap an item: Dask logs the arguments of work that fails, which may be names of patients."""
    return lambda: item


def _make_task(
    function: bytes, mark: str, root: str, code: str
) -> Callable[[int, Callable[[], bytes]], tuple[int, str, Any] | str]:
    """Make the function that a worker runs for an item and its position.

    It returns what `run_one` does, or a text if the worker cannot do this work. It is sent as code,
    not by its name, because it is defined inside a function.
    """

    def run_item(position: int, item: Callable[[], bytes]) -> tuple[int, str, Any] | str:
        import sys

        from distributed import get_worker

        threads = get_worker().state.nthreads
        if threads != 1:
            return f"has {threads} threads, expected one: start it with `dask worker --nthreads 1`"
        folder = Path(mark).parent
        try:
            os.chdir(folder)
        except OSError:
            return f"has no folder {folder}, expected the same one as here, on a shared file system"
        if not Path(mark).is_dir():
            return f"has another folder {folder}, expected the one here, on a shared file system"
        if root not in sys.path:
            sys.path.insert(0, root)
        try:
            from graft.common.code import running_code
            from graft.common.parallel import run_one
        except ImportError as error:
            return f"cannot import graft ({error}), expected this folder and its environment"
        if running_code() != code:
            return "has other code of graft or other libraries than this process: restart it"
        return run_one(pickle.loads(function), position, pickle.loads(item()))

    return run_item


def _result_of(future: "Future", address: str) -> tuple[int, str, Any]:
    from distributed import CancelledError

    try:
        result = future.result()
    except CancelledError as error:
        raise InputError(
            f"GRAFT_SCHEDULER: the scheduler {address} was lost; what was finished is kept, so run "
            "the same command again"
        ) from error
    if isinstance(result, str):
        raise InputError(f"GRAFT_SCHEDULER: a worker of {address} {result}")
    return result
