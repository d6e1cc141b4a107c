"""A cache of finished trainings, so that a killed run resumes with those that are missing.

The key of a cached result is everything that decides it, including the code that trains. The cache
outlives its stage: with one more repeat, the trainings of the other repeats do not run again.
"""

import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from graft.common.files import whole_file
from graft.console import counting
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
    results = []
    with counting(name, len(trainings), "training") as show:
        for training in trainings:
            path = folder / f"{key_digest(training.key, CODE)}.npz"
            arrays = _read_arrays(path)
            if arrays is None:
                arrays = training.run()
                _write_arrays(path, arrays)
            results.append(arrays)
            show(training.name)
    return results


def _write_arrays(path: Path, arrays: Arrays) -> None:
    content: dict[str, Any] = dict(arrays)
    with whole_file(path) as partial, partial.open("wb") as file:
        np.savez(file, **content)


def _read_arrays(path: Path) -> Arrays | None:
    """Read the arrays of a cached result; None if it is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return None
