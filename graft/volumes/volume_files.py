"""Medical volumes and masks: read completely, with their position in the patient."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from graft.common.files import InputError, check_regular_file
from graft.common.shown import last_line
from graft.dicom.datasets import begins_as_dicom, find_files
from graft.grids.volume import LPS_TO_RAS, SAME_GRID_MM, Volume
from graft.volumes.formats import DATA_FILES, READERS
from graft.volumes.label_maps import select_label

SINGULAR = 1e-9  # mm³: a voxel is not smaller
MIN_SKEW = 0.1  # of the volume of a box: a tilted gantry gives 0.77
MIN_VOXEL_MM = 1e-3  # finer than any scanner; the work of smoothing grows with the inverse
MAX_VOXEL_MM = 1e3

Content = TypeVar("Content")
Reader = TypeVar("Reader")


def read_volume(path: Path, series: str = "", burned_in: bool = False) -> Volume:
    """Read a volume of three dimensions: NIfTI, MetaImage or NRRD by its suffix, or DICOM.

    Files are read to their end, so that one that was cut short is refused wherever the cut is.

    Args:
        path: A file, or a folder with a DICOM series.
        series: The number or the UID of a DICOM series, needed if the folder has several.
        burned_in: Whether DICOM images that may show a name in their pixels are read too.

    Raises:
        InputError: If the volume is missing, damaged, of another kind or shape, or does not give
            its position.
    """
    if _is_dicom(path):
        from graft.dicom.series import read_series

        voxels, affine, header = read_series(path, series, burned_in)
        affine = LPS_TO_RAS @ affine
        _check_affine(path, affine)
        return Volume(path, voxels, affine, header)
    if series:
        raise InputError(f"{path}: is no DICOM, expected the column series to be empty")
    reader = _find_by_suffix(path, READERS)
    if reader is None:
        known = ", ".join(READERS)
        raise InputError(f"{path}: is an unknown kind of volume, expected {known}, or DICOM")
    stored, affine = _read_file(path, reader)
    _check_affine(path, affine)
    return Volume(path, stored, affine)


def list_files(path: Path) -> list[Path]:
    """The files whose bytes decide what `read_volume` and `read_mask` read at a path.

    Raises InputError if there are none, or one of them is no regular file in the right place.
    """
    if path.is_dir():
        return find_files(path)
    check_regular_file(path)
    name_data_file = _find_by_suffix(path, DATA_FILES)
    data_file = name_data_file and _read_file(path, name_data_file)
    return [path] if data_file is None else [path, data_file]


def read_mask(
    path: Path,
    image: Volume,
    segment: str = "",
    read: Callable[[Path], Volume] = read_volume,
) -> Volume:
    """Read one structure of a mask, as voxels that are 1 inside and 0 outside.

    Args:
        path: A label map in a form that `read_volume` reads, or a DICOM SEG.
        image: The scan of the mask. A SEG is put on its grid.
        segment: The number of the structure, or the label of a segment in a SEG; "" if there is
            only one.
        read: Reads a label map, such as `read_volume` with a memory for maps of several lesions.

    Raises:
        InputError: As `read_volume` does, or if a SEG lies on another grid, there are several
            structures and none is named, or the named one is missing.
    """
    if _is_dicom(path):
        from graft.dicom.masks import read_segment

        return Volume(path, read_segment(path, segment, image), image.affine)
    mask = read(path)
    try:
        return replace(mask, voxels=select_label(mask.voxels, segment))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def locate_lesion(mask: Volume, image: Volume) -> tuple[np.ndarray, float]:
    """The centroid (3,) of a mask in mm, RAS+, and the diameter in mm of a ball of its volume.

    Raises InputError if the mask is empty or lies on another grid than its image.
    """
    shape = tuple(image.voxels.shape)
    corners = np.array([[0, 0, 0], *np.diag(shape)])
    off = np.abs(mask.to_mm(corners) - image.to_mm(corners)).max()  # mm
    if tuple(mask.voxels.shape) != shape or off > SAME_GRID_MM:
        raise InputError(
            f"{mask.path}: lies on another grid than {image.path.name}, "
            "expected its shape and affine"
        )
    inside = np.argwhere(np.asarray(mask.voxels) > 0)  # (voxels, 3)
    if not len(inside):
        raise InputError(f"{mask.path}: is empty, expected voxels above 0 where the lesion is")
    volume = len(inside) * abs(np.linalg.det(mask.affine[:3, :3]))  # mm³
    diameter = (6 * volume / np.pi) ** (1 / 3)
    return mask.to_mm(inside.mean(0)), float(diameter)


def _is_dicom(path: Path) -> bool:
    """Whether a path is a folder, or a file that is named like DICOM or begins like it.

    Raises InputError if it is neither a folder nor a regular file.
    """
    if path.is_dir():
        return True
    check_regular_file(path)
    if path.suffix.lower() == ".dcm":
        return True
    if _find_by_suffix(path, READERS):
        return False
    return begins_as_dicom(path)


def _find_by_suffix(path: Path, readers: Mapping[str, Reader]) -> Reader | None:
    for suffix, reader in readers.items():
        if path.name.lower().endswith(suffix):
            return reader
    return None


def _read_file(path: Path, reader: Callable[[Path], Content]) -> Content:
    try:
        return reader(path)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except MemoryError as error:
        raise InputError(f"{path}: does not fit in memory, expected a smaller volume") from error
    except Exception as error:  # a damaged file makes its reader raise anything
        raise InputError(
            f"{path}: cannot be read, it may be cut short or damaged ({last_line(error)})"
        ) from error


def _check_affine(path: Path, affine: np.ndarray) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        sides = np.linalg.norm(affine[:3, :3], axis=0)  # mm
        volume = abs(np.linalg.det(affine[:3, :3]))  # mm³
        is_singular = not volume > max(SINGULAR, MIN_SKEW * sides.prod())  # true for NaN too
    if is_singular or not np.isfinite(affine).all():
        raise InputError(
            f"{path}: its affine is singular, expected three directions that have a length in mm"
        )
    if sides.min() < MIN_VOXEL_MM or sides.max() > MAX_VOXEL_MM:
        raise InputError(
            f"{path}: its voxels measure {sides.tolist()} mm, "
            f"expected {MIN_VOXEL_MM} to {MAX_VOXEL_MM} mm along each axis"
        )
