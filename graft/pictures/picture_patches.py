"""The pictures of a domain, windowed, resized and cropped to one size."""

import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from graft.common.files import InputError
from graft.console import say
from graft.grids.grid import Grid
from graft.grids.intensity import raw_window
from graft.pictures.picture_files import read_picture


@dataclass(frozen=True)
class NamedPicture:
    """A picture, and what errors put before its path, such as its row in a manifest."""

    path: Path
    where: str = ""


@dataclass(frozen=True)
class PicturePatch:
    """A patch (C, *patch) float16 of a picture, and the bits and the range of its intensities."""

    pixels: np.ndarray
    bits: int
    lowest: int
    highest: int


def cut_pictures(domain: str, pictures: list[NamedPicture], grid: Grid) -> np.ndarray:
    """Read the pictures of a domain: (N, C, *patch) float16, C 1 if all are grey, else 3.

    Raises InputError if the patch has three dimensions, if a picture cannot be used or has another
    depth than the first, or if the window exceeds the intensities of this depth.
    """
    if len(grid.patch) != 2:
        raise InputError(
            f"preprocess.patch: got {list(grid.patch)}, expected two numbers, "
            f"as {domain} has pictures"
        )
    Image.init()  # before there are threads
    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as pool:
        warnings.simplefilter("ignore")  # of Pillow about unusual metadata, which is not used
        patches = list(pool.map(partial(cut_picture, grid=grid), pictures))
    _check_depth(pictures, patches)
    _check_window(domain, grid, patches[0].bits)
    _report(domain, grid, patches)
    channels = max(len(patch.pixels) for patch in patches)
    shape = (channels, *grid.patch)
    return np.stack([np.broadcast_to(patch.pixels, shape) for patch in patches])


def _check_depth(pictures: list[NamedPicture], patches: list[PicturePatch]) -> None:
    expected = patches[0].bits
    for picture, patch in zip(pictures, patches, strict=True):
        if patch.bits != expected:
            raise InputError(
                f"{picture.where}{picture.path}: has {patch.bits} bits and {pictures[0].path} "
                f"{expected}, expected one depth"
            )


def _check_window(domain: str, grid: Grid, bits: int) -> None:
    highest = 2**bits - 1
    if grid.intensity == "window" and (min(grid.window) < 0 or max(grid.window) > highest):
        raise InputError(
            f"domains.{domain}.window: got {list(grid.window)}, expected intensities from 0 to "
            f"{highest}, as pictures of {bits} bits have"
        )


def _report(domain: str, grid: Grid, patches: list[PicturePatch]) -> None:
    lowest = min(patch.lowest for patch in patches)
    highest = max(patch.highest for patch in patches)
    say(
        f"{domain}: {len(patches)} pictures of {patches[0].bits} bits, intensities {lowest} to "
        f"{highest}; they have no spacing, so each is resized to cover {grid.patch} and cropped "
        "about its middle"
    )
    grey = sum(len(patch.pixels) == 1 for patch in patches)
    if 0 < grey < len(patches):
        say(
            f"{domain}: {grey} of {len(patches)} pictures are grey, and repeated in 3 channels "
            "beside those in colour"
        )


def cut_picture(picture: NamedPicture, grid: Grid) -> PicturePatch:
    """Window a picture, then resize the largest part about its middle that has the patch's shape.

    This is what Resize and CenterCrop of torchvision do.
    """
    where = f"{picture.where}{picture.path}"
    try:
        pixels = read_picture(picture.path)  # (rows, columns, C)
    except InputError as error:
        raise InputError(f"{picture.where}{error}") from error
    planes = np.moveaxis(pixels, -1, 0)  # (C, rows, columns)
    try:
        floor, ceiling = raw_window(grid.window, grid.intensity, planes)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    rows, columns = grid.patch
    box = _middle_box(pixels.shape[0], pixels.shape[1], rows, columns)
    patch = np.empty((len(planes), rows, columns), np.float16)
    for channel, plane in enumerate(planes):
        windowed = ((plane.astype(np.float32) - floor) / (ceiling - floor)).clip(0, 1)
        resized = Image.fromarray(windowed).resize(
            (columns, rows), Image.Resampling.BILINEAR, box=box
        )
        patch[channel] = np.asarray(resized)
    lowest, highest = pixels.min(), pixels.max()
    if patch.min() == patch.max():
        raise InputError(
            f"{where}: is {patch.max():g} everywhere after the crop and the window "
            f"{[floor, ceiling]}, expected a picture (its intensities are {lowest} to {highest})"
        )
    return PicturePatch(patch, 8 * pixels.itemsize, int(lowest), int(highest))


def _middle_box(
    height: int, width: int, rows: int, columns: int
) -> tuple[float, float, float, float]:
    """The largest box of rows : columns about the middle of a picture: left, top, right, bottom."""
    scale = min(height / rows, width / columns)  # pixels of the picture per pixel of the patch
    box_height, box_width = scale * rows, scale * columns
    return (
        (width - box_width) / 2,
        (height - box_height) / 2,
        (width + box_width) / 2,
        (height + box_height) / 2,
    )
