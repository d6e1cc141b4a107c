"""A cache of finished trainings, so that a killed run resumes with those that are left.

A cached result is keyed by all that decides it, the code that trains included. The cache outlives
its stage: with one more repeat, the trainings of the other repeats do not run again.
"""

import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from graft.common.files import whole_file
from graft.console import counting
from graft.training.checkpoint import CODE as TRAINING_CODE
from graft.training.checkpoint import key_digest

CODE = (*TRAINING_CODE, "repeated", "transfer")  # the packages that decide a cached result

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class CachedTraining:
    """One training: what a person calls it, all that decides its result, and how to run it."""

    name: str
    key: object  # of plain values
    run: Callable[[], Arrays]


def collect_results(name: str, trainings: Sequence[CachedTraining], folder: Path) -> list[Arrays]:
    """The result of each training, from the cache or by running it.

    Args:
        name: what a person sees beside the progress.
        trainings: in any order.
        folder: where the results are cached.
    """
    results = []
    with counting(name, len(trainings), "training") as show:
        for training in trainings:
            path = folder / f"{key_digest(training.key, CODE)}.npz"
            arrays = _read_arrays(path)
            if arrays is None:
                arrays = training.run()
                with whole_file(path) as partial, partial.open("wb") as file:
                    np.savez(file, **arrays)
            results.append(arrays)
            show(training.name)
    return results


def _read_arrays(path: Path) -> Arrays | None:
    """The arrays of a cached result, or None if they cannot be read."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return None
