"""Raw data as `manifest.csv` with one row per lesion, and volumes or pictures beside it."""

import importlib
import os
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd

from graft.common.files import InputError
from graft.data.domain import Domain, Grid
from graft.data.intensity import raw_window
from graft.data.volume import LPS_TO_RAS, Volume
from graft.ingest.rows import MANIFEST, LesionRow, read_lesion_rows
from graft.ingest.scans import Scan, check_scans
from graft.pictures.picture_files import is_picture
from graft.pictures.picture_patches import NamedPicture, cut_pictures
from graft.volumes import volume_files

MAX_PROCESSES = 8  # each of them keeps a volume in memory
VOLUMES_PER_TASK = 4


@dataclass(frozen=True)
class LesionPatch:
    """The patch of one lesion, and what its mask gives."""

    image: np.ndarray  # (1, *patch) float16
    diameter: float | None  # mm, of its mask
    mask: np.ndarray | None  # (*patch) uint8
    scan: Scan


def read_manifest(
    path: Path, name: str, classes: list[str], grid: Grid, burned_in: bool = False
) -> Domain:
    """Cut a patch for each row of `manifest.csv`, in its order.

    A picture is one lesion, and has no spacing. A volume is read once for all its lesions, and
    several volumes are read at a time. `size` is the diameter in mm that the rows or their masks
    give, or the number of voxels in the patch above the window's floor if one of them gives none.

    Args:
        path: The folder of the manifest.
        name: The name of the domain.
        classes: The labels that a row may have.
        grid: The patch, its spacing and its window.
        burned_in: Whether DICOM images that may show a name in their pixels are read too.

    Raises:
        InputError: With the row, if it or its image or mask cannot be used.
    """
    lesions = read_lesion_rows(path, classes)
    is_flat = is_picture(lesions[0].image)
    masks = None
    diameters = [lesion.diameter_mm for lesion in lesions]
    if is_flat:
        images = cut_pictures(name, _name_pictures(path, lesions), grid)
    else:
        patches = _cut_all(path / MANIFEST, lesions, grid, burned_in)
        check_scans(path / MANIFEST, lesions, [patch.scan for patch in patches])
        images = np.stack([patch.image for patch in patches])  # (N, 1, *patch)
        masks = _stack_masks(patches, grid)
        pairs = zip(diameters, patches, strict=True)
        diameters = [diameter or patch.diameter for diameter, patch in pairs]
    size, measured = _measure_size(diameters, images)
    index = pd.DataFrame(
        {
            "sample": range(len(lesions)),
            "patient": [lesion.patient for lesion in lesions],
            "label": [lesion.label for lesion in lesions],
            "site": [lesion.site for lesion in lesions],
            "split": [lesion.split for lesion in lesions],
            "origin": [lesion.origin for lesion in lesions],
            "size": size,
        }
    )
    about = grid.about(measured, spaced=not is_flat)
    return Domain(name, images, index, classes, about, masks=masks)


def _name_pictures(path: Path, lesions: list[LesionRow]) -> list[NamedPicture]:
    table = path / MANIFEST
    return [NamedPicture(lesion.image, f"{table}:{lesion.line}: ") for lesion in lesions]


def _measure_size(diameters: list[float | None], images: np.ndarray) -> tuple[np.ndarray, str]:
    """The size (N,) of each lesion, and what it measures."""
    if all(diameters):
        return np.round(np.array(diameters, float), 2), "diameter in mm"
    is_above_floor = (images > 0).any(1).reshape(len(images), -1)  # (N, voxels)
    return is_above_floor.sum(1).astype(float), "voxels of the patch above the window's floor"


def _stack_masks(patches: list[LesionPatch], grid: Grid) -> np.ndarray | None:
    """(N, *patch) uint8, 0 for a lesion without a mask; None if no lesion has one."""
    if all(patch.mask is None for patch in patches):
        return None
    empty = np.zeros(grid.patch, np.uint8)
    return np.stack([empty if patch.mask is None else patch.mask for patch in patches])


def _cut_all(
    table: Path, lesions: list[LesionRow], grid: Grid, burned_in: bool
) -> list[LesionPatch]:
    """The patches in the order of the lesions, from a pool of processes with one volume each."""
    importlib.import_module("graft.ingest.patches")  # before the fork: each import takes seconds
    by_volume: dict[tuple[Path, str], list[int]] = {}
    for number, lesion in enumerate(lesions):
        by_volume.setdefault((lesion.image, lesion.series), []).append(number)
    groups = [[lesions[number] for number in numbers] for numbers in by_volume.values()]
    found: dict[int, LesionPatch] = {}
    processes = min(os.cpu_count() or 1, MAX_PROCESSES, len(groups))
    context = get_context("fork")
    with ProcessPoolExecutor(processes, context, initializer=_use_one_thread) as pool:
        cut_volume = partial(_cut_volume, table, grid, burned_in)
        try:
            results = pool.map(cut_volume, groups, chunksize=VOLUMES_PER_TASK)
            for numbers, patches in zip(by_volume.values(), results, strict=True):
                found.update(zip(numbers, patches, strict=True))
        except BrokenProcessPool:  # a decoder that crashed, or too little memory
            reason = "a process that read volumes ended: one is damaged, or memory ran out"
            raise InputError(f"{table}: {reason}") from None
    return [found[number] for number in range(len(lesions))]


def _use_one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def _cut_volume(
    table: Path, grid: Grid, burned_in: bool, lesions: list[LesionRow]
) -> list[LesionPatch]:
    """The patches of the lesions of one volume."""
    found = []
    volume = None
    for lesion in lesions:
        try:
            if volume is None:
                volume = volume_files.read_volume(lesion.image, lesion.series, burned_in)
                grid = _convert_window(grid, volume)
                scan = Scan.of(volume)
            found.append(_cut_lesion(volume, lesion, grid, scan))
        except InputError as error:
            raise InputError(f"{table}:{lesion.line}: {error}") from error
        except MemoryError as error:
            raise InputError(
                f"{table}:{lesion.line}: {lesion.image.name} does not fit in memory, "
                "expected a smaller volume"
            ) from error
    return found


def _convert_window(grid: Grid, volume: Volume) -> Grid:
    """The grid with its window in the raw intensities of one volume."""
    try:
        window = raw_window(grid.window, grid.intensity, volume.voxels)
    except InputError as error:
        raise InputError(f"{volume.path.name}: {error}") from error
    return replace(grid, window=window)


def _cut_lesion(volume: Volume, lesion: LesionRow, grid: Grid, scan: Scan) -> LesionPatch:
    from graft.ingest.patches import cut_mask, cut_patch

    if lesion.mask is None:
        centre = _position_in_mm(volume, lesion)
        return LesionPatch(cut_patch(volume, centre, grid).astype(np.float16), None, None, scan)
    mask = volume_files.read_mask(lesion.mask, volume, lesion.segment)
    centre, diameter = volume_files.locate_lesion(mask, volume)
    if lesion.position is not None:
        centre = _position_in_mm(volume, lesion)
    patch = cut_patch(volume, centre, grid).astype(np.float16)
    return LesionPatch(patch, diameter, cut_mask(mask, centre, grid), scan)


def _position_in_mm(volume: Volume, lesion: LesionRow) -> np.ndarray:
    """The position (3,) that a row gives, in mm, RAS+."""
    position = np.array(lesion.position)
    if lesion.frame == "voxel":
        return volume.to_mm(position)
    return LPS_TO_RAS[:3, :3] @ position if lesion.frame == "lps" else position
