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

from graft.console import counting
from graft.training.checked_file import read_checked, write_checked
from graft.training.checkpoint import CODE as TRAINING_CODE
from graft.training.checkpoint import key_digest

CODE = (*TRAINING_CODE, "repeated", "transfer")  # the packages that decide a cached result

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class CachedTraining:
    """One training that runs only if its result is not in the cache.

    Attributes:
        name: shown when it is finished.
        key: everything that decides its result except for the code, as plain JSON values.
        run: trains, and returns the arrays to cache.
    """

    name: str
    key: object
    run: Callable[[], Arrays]


def collect_results(name: str, trainings: Sequence[CachedTraining], folder: Path) -> list[Arrays]:
    """Collect the result of each training, from the cache or by running it.

    Args:
        name: shown beside the progress.
        trainings: in any order.
        folder: where the results are cached.

    Returns:
        The arrays of each training, in the order of `trainings`.
    """
    results: list[Arrays] = []
    with counting(name, len(trainings), "training") as show:
        for training in trainings:
            path = folder / f"{key_digest(training.key, CODE)}.result"
            arrays: Arrays | None = read_checked(path, from_bytes)
            if arrays is None:
                arrays = training.run()
                write_checked(path, _as_payload(arrays))
            results.append(arrays)
            show(training.name)
    return results


def _as_payload(arrays: Arrays) -> bytes:
    # safetensors writes the memory of an array as it is, so its rows must lie in their order.
    return as_bytes({name: np.ascontiguousarray(array) for name, array in arrays.items()})
