"""Many trainings of one stage, each kept when it is done: a killed run goes on with those that are left.

Like a checkpoint, a unit is kept outside the outs, under a name made from all that decides it, the code that trains
included and the code that judges not. Units outlive their stage: with one repeat more, those of the others are not
trained again.
"""

import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from graft.common.files import whole_file
from graft.console import counting
from graft.training.checkpoint import clear_checkpoints, digest

FOLDER = Path(".graft/units")
Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Unit:
    """One training: what to call it, all that decides its result, and how to come by that."""

    name: str
    key: object  # of plain values
    modules: Sequence[Path]  # whose code decides it too
    work: Callable[[], Arrays]


def collect_units(stage: str, units: Sequence[Unit]) -> list[Arrays]:
    """What each unit gives, from where it is kept or by its work."""
    found = []
    with counting(stage, len(units), "training") as show:
        for unit in units:
            path = FOLDER / stage / f"{digest(unit.key, unit.modules)}.npz"
            kept = _read(path)
            if kept is None:
                kept = unit.work()
                with whole_file(path) as partial, partial.open("wb") as file:
                    np.savez(file, **kept)
                clear_checkpoints(stage)
            found.append(kept)
            show(unit.name)
    return found


def _read(path: Path) -> Arrays | None:
    """The arrays of a unit, or None where there is nothing that can be read."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return None
