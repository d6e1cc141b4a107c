"""Raw data as `manifest.csv`, a row a lesion, and volumes or pictures beside it."""

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import partial
from itertools import chain
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd

from graft.common.files import InputError
from graft.data.domain import Domain, Grid
from graft.data.volume import Volume
from graft.ingest import pictures, volumes
from graft.ingest.intensity import to_raw
from graft.ingest.rows import FILE, Lesion, read_rows

VOLUMES_AT_A_TIME = 8  # at most, as each of them is held in memory
CHUNK = 4  # volumes handed to a process at once

# A patch (1, *patch) float16, and of its mask the diameter in mm and the patch (*patch) uint8.
Found = tuple[np.ndarray, float | None, np.ndarray | None]


def read(path: Path, name: str, classes: list[str], grid: Grid, burned_in: bool = False) -> Domain:
    """Cut a patch for each row of `manifest.csv`, in its order; with `burned_in`, of images that may show a name too.

    A picture is one lesion, and has no spacing.

    A volume is read once for all its lesions, and several volumes at a time. `size` is the diameter in mm that
    the rows or their masks give; where neither does, the number of voxels in the patch above the window's floor.

    Raises InputError, with the row, for what docs/data.md lists.
    """
    lesions = read_rows(path, classes)
    flat = pictures.is_picture(lesions[0].image)
    if flat:
        rows = [(f"{path / FILE}:{lesion.line}: ", lesion.image) for lesion in lesions]
        images, masked, masks = pictures.patches(name, rows, grid), [None] * len(rows), None
    else:
        found = _cut_all(path / FILE, lesions, grid, burned_in)
        patches, masked, inside = zip(*found)
        images, masks = np.stack(patches), _stack(inside, grid)  # (N, 1, *patch), (N, *patch)
    diameters = [lesion.diameter_mm or other for lesion, other in zip(lesions, masked)]
    if all(diameters):
        size, measured = np.round(diameters, 2), "diameter in mm"
    else:
        size = (images > 0).any(1).reshape(len(images), -1).sum(1)
        measured = "voxels of the patch above the window's floor"
    index = pd.DataFrame(
        {
            "sample": range(len(lesions)),
            "patient": [lesion.patient for lesion in lesions],
            "label": [lesion.label for lesion in lesions],
            "site": [lesion.site for lesion in lesions],
            "split": [lesion.split for lesion in lesions],
            "origin": [lesion.origin for lesion in lesions],
            "size": np.asarray(size, float),
        }
    )
    return Domain(name, images, index, classes, grid.about(measured, spaced=not flat), masks=masks)


def _stack(masks: Sequence[np.ndarray | None], grid: Grid) -> np.ndarray | None:
    """(N, *patch) uint8, all 0 for a lesion without a mask; None where no lesion has one."""
    if all(mask is None for mask in masks):
        return None
    return np.stack([np.zeros(grid.patch, np.uint8) if mask is None else mask for mask in masks])


def _cut_all(table: Path, lesions: list[Lesion], grid: Grid, burned_in: bool) -> list[Found]:
    """The patches in the order of the lesions, from a pool of processes with a volume each."""
    import graft.ingest.patches  # noqa: F401  before the fork, or every process would spend seconds on it

    by_image: dict[tuple[Path, str], list[int]] = {}
    for number, lesion in enumerate(lesions):
        by_image.setdefault((lesion.image, lesion.series), []).append(number)
    groups = [[lesions[number] for number in numbers] for numbers in by_image.values()]
    workers = min(os.cpu_count() or 1, VOLUMES_AT_A_TIME, len(groups))
    with ProcessPoolExecutor(
        workers, mp_context=get_context("fork"), initializer=_one_thread
    ) as pool:
        cut_all = partial(_cut_volume, table, grid, burned_in)
        try:
            found = list(chain.from_iterable(pool.map(cut_all, groups, chunksize=CHUNK)))
        except BrokenProcessPool:  # a decoder that fell over, or one volume too many for the memory
            reason = "a process that read volumes was ended, by a damaged one or for want of memory"
            raise InputError(f"{table}: {reason}") from None
    places = np.argsort([number for numbers in by_image.values() for number in numbers])
    return [found[place] for place in places]


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def _cut_volume(table: Path, grid: Grid, burned_in: bool, lesions: list[Lesion]) -> list[Found]:
    """The patches of the lesions of one volume."""
    from graft.ingest.patches import cut, cut_mask

    found: list[Found] = []
    volume = None
    for lesion in lesions:
        try:
            if volume is None:
                volume = volumes.read_volume(lesion.image, lesion.series, burned_in)
                grid = _windowed(grid, volume)
            mask = volumes.read_mask(lesion.mask, volume, lesion.segment) if lesion.mask else None
            centre, diameter = _place(volume, lesion, mask)
            patch = cut(volume, centre, grid).astype(np.float16)
            found.append((patch, diameter, None if mask is None else cut_mask(mask, centre, grid)))
        except InputError as error:
            raise InputError(f"{table}:{lesion.line}: {error}") from error
    return found


def _windowed(grid: Grid, volume: Volume) -> Grid:
    """The grid with its window in the raw intensities of one volume."""
    try:
        return replace(grid, window=to_raw(grid.window, grid.intensity, volume.voxels))
    except InputError as error:
        raise InputError(f"{volume.path.name}: {error}") from error


def _place(volume: Volume, lesion: Lesion, mask: Volume | None) -> tuple[np.ndarray, float | None]:
    """The lesion's centre (3,) in mm, RAS+, and the diameter in mm of its mask, if it has one."""
    centroid = diameter = None
    if mask is not None:
        centroid, diameter = volumes.locate(mask, volume)
    if lesion.position is None:
        return centroid, diameter
    position = np.array(lesion.position)
    if lesion.frame == "voxel":
        return volume.to_mm(position), diameter
    return (volumes.LPS_TO_RAS[:3, :3] @ position if lesion.frame == "lps" else position), diameter
