"""The arrays of a processed domain: images, and the masks of their lesions."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from graft.common.files import InputError
from graft.data.image_rows import all_rows

MIN_DIMENSIONS = 4  # of images: lesions, channels, rows and columns
ONE = np.ones(1, np.float16).view(np.uint16).item()  # no bits of a number in [0, 1] are higher


def load_array(path: Path) -> np.ndarray:
    """Map an array in a file into memory.

    Raises:
        InputError: if the file is missing or broken.
    """
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error


def load_masks(path: Path, images: np.ndarray) -> np.ndarray:
    """Map the masks (N, *spatial) of images (N, C, *spatial) into memory.

    Raises:
        InputError: if the file is broken, or if it has another type or shape.
    """
    masks = load_array(path)
    expected = (len(images), *images.shape[2:])
    if masks.shape != expected or masks.dtype != np.uint8:
        raise InputError(f"{path}: is {masks.dtype} {masks.shape}, expected uint8 {expected}")
    return masks


def check_masks(path: Path, masks: np.ndarray) -> None:
    """Raise InputError if the masks in a file have another value than 0 and 1."""
    if any(block.max(initial=0) > 1 for block in all_rows(masks).blocks()):
        raise InputError(f"{path}: has a value above 1, expected 0 or 1")


def check_images(name: str, images: np.ndarray, origins: Sequence[str]) -> None:
    """Check that images have no value but numbers in [0, 1]. Reads some at a time.

    Args:
        name: of their domain, for messages.
        images: (N, C, *spatial) float16.
        origins: where each of them comes from, for messages.

    Raises:
        InputError: if the array has another type or shape, or a value that is NaN, infinite or
            outside [0, 1].
    """
    if images.dtype != np.float16 or images.ndim < MIN_DIMENSIONS:
        raise InputError(
            f"domains.{name}: its images are {images.dtype} {images.shape}, "
            "expected float16 (N, C, *spatial)"
        )
    start = 0
    for block in all_rows(images).blocks():
        end = start + len(block)
        # Comparing bits takes a tenth of the time. Only -0.0 is in [0, 1] but has higher ones.
        if block.view(np.uint16).max(initial=0) > ONE:
            _check_each(name, block, origins[start:end])
        start = end


def _check_each(name: str, images: np.ndarray, origins: Sequence[str]) -> None:
    for image, origin in zip(images, origins, strict=True):
        outside = image[~((image >= 0) & (image <= 1))]
        if outside.size:
            raise InputError(
                f"domains.{name}: the image of {origin} has {outside.size} values such as "
                f"{outside[0]:g}, expected finite numbers in [0, 1]"
            )


def save_array(path: Path, array: np.ndarray) -> None:
    """Write a .npy file, in the same bytes as `np.save`.

    NumPy alone would write through a buffer of C, whose last part a full disk loses without an
    error.

    Raises:
        OSError: if it cannot be written completely.
    """
    with path.open("wb") as file:
        np.save(SimpleNamespace(write=file.write), array, allow_pickle=False)


def save_rows(
    path: Path, rows: Iterable[np.ndarray], shape: tuple[int, ...], dtype: type[np.generic]
) -> None:
    """Write a .npy file row by row, in the same bytes as `np.save` writes all rows together.

    The file is written, and not mapped, because a full disk would kill a process that fills a map.

    Args:
        path: the file.
        rows: shape[0] arrays of the shape shape[1:].
        shape: of the array in the file.
        dtype: of the array in the file.

    Raises:
        OSError: if it cannot be written completely.
    """
    kind = np.dtype(dtype)
    header = {"descr": kind.str, "fortran_order": False, "shape": shape}
    written = 0
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for row in rows:
            written += file.write(np.ascontiguousarray(row, kind).tobytes())
    if written != math.prod(shape) * kind.itemsize:
        raise ValueError(f"{path}: got {written} bytes of rows, expected those of {shape}")
