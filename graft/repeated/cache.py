"""A cache of finished trainings, so that a killed run resumes with those that are missing.

The key of a cached result is everything that decides it, including the code that trains. The cache
outlives its stage: with one more repeat, the trainings of the other repeats do not run again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load as from_bytes
from safetensors.numpy import save as as_bytes

from graft.common.checked_file import write_checked
from graft.common.parallel import run_parallel
from graft.console import counting
from graft.training.checkpoint import CODE as TRAINING_CODE
from graft.training.checkpoint import key_digest, read_or_restart

CODE = (
    *TRAINING_CODE,
    "repeated",
    "strategies",
    "transfer",
)  # the packages that decide a cached result

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class CachedTraining:
    """One training that runs only if its result is not in the cache.

    Attributes:
        name: shown when it is finished.
        key: everything that decides its result except for the code, as plain JSON values.
        run: trains, and returns the arrays to cache. It may run in another process, so it is a
            `functools.partial` or a method of something small.
    """

    name: str
    key: object
    run: Callable[[], Arrays]


def collect_results(
    name: str, trainings: Sequence[CachedTraining], folder: Path, sequential: bool = False
) -> list[Arrays]:
    """Collect the result of each training, from the cache or by running it.

    Args:
        name: shown beside the progress.
        trainings: in any order. They run in parallel.
        folder: where the results are cached.
        sequential: whether they run one after the other, as on one GPU.

    Returns:
        The arrays of each training, in the order of `trainings`.
    """
    results: dict[int, Arrays] = {}
    missing: list[tuple[int, Path, Callable[[], Arrays]]] = []
    for number, training in enumerate(trainings):
        path = folder / f"{key_digest(training.key, CODE)}.result"
        arrays: Arrays | None = read_or_restart(path, from_bytes)
        if arrays is None:
            missing.append((number, path, training.run))
        else:
            results[number] = arrays
    with counting(name, len(trainings), "training", finished=len(results)) as show:

        def show_name(position: int) -> None:
            show(trainings[missing[position][0]].name)

        found = run_parallel(_train_and_keep, missing, show_name, sequential)
    results |= {number: made for (number, _, _), made in zip(missing, found, strict=True)}
    return [results[number] for number in range(len(trainings))]


def _train_and_keep(missing: tuple[int, Path, Callable[[], Arrays]]) -> Arrays:
    """Train, and cache the result at once, so that it survives what happens to other trainings."""
    _, path, run = missing
    arrays = run()
    write_checked(path, _as_payload(arrays))
    return arrays


def _as_payload(arrays: Arrays) -> bytes:
    # safetensors writes the memory of an array as it is, so its rows must lie in their order.
    return as_bytes({name: np.ascontiguousarray(array) for name, array in arrays.items()})
