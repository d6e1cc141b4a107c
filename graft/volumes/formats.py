"""The readers of volumes by suffix, and that of NIfTI: voxels, and their affine to mm, RAS+."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from graft.common.files import InputError
from graft.dicom.pixels import RescaledVoxels
from graft.dicom.quiet import quiet_readers
from graft.grids.volume import Voxels
from graft.volumes import metaimage, nrrd, voxel_data
from graft.volumes.inflate import inflate, read_chunks

if TYPE_CHECKING:
    from nibabel import Nifti1Header

NIFTI_ERROR_LEVEL = 35  # of nibabel: headers with worse faults are refused, not repaired
NIFTI_LOGGER = "nibabel.global"  # it records what nibabel also raises
NIFTI_HEADER_BYTES = 348
NIFTI_MAGIC = b"n+1"  # header and voxels in one file
MAX_EXTENSION_BYTES = 1 << 26  # between the header and the voxels


def read_nifti(path: Path) -> tuple[Voxels, np.ndarray]:
    """Read a NIfTI file to its end.

    Raises InputError without the path if it gives no position, is cut short, or claims more voxels
    than it has.
    """
    import nibabel
    from nibabel.imageglobals import ErrorLevel

    is_compressed = path.suffix.lower() == ".gz"
    with path.open("rb") as file:
        size = voxel_data.count_remaining(file)
        chunks = inflate(file) if is_compressed else read_chunks(file)
        start = _read_start(chunks)
        header = nibabel.Nifti1Header(start[:NIFTI_HEADER_BYTES], check=False)
        _check_nifti_position(header)
        end = _find_nifti_end(header)
        voxel_data.check_size(size, end, is_compressed)
        content = voxel_data.fill(chunks, end, start)
        if is_compressed:
            voxel_data.check_end(chunks)
    with quiet_readers(NIFTI_LOGGER), ErrorLevel(NIFTI_ERROR_LEVEL):
        header = nibabel.Nifti1Header(start[:NIFTI_HEADER_BYTES])
    stored = content[int(header["vox_offset"]) :].view(header.get_data_dtype())
    stored = stored.reshape(header["dim"][1:4], order="F")
    return _rescale(stored, *header.get_slope_inter()), header.get_best_affine()


def _read_start(chunks: Iterator[bytes]) -> bytes:
    """The first chunks, which hold the header."""
    start = b""
    while len(start) < NIFTI_HEADER_BYTES:
        chunk = next(chunks, None)
        if chunk is None:
            raise InputError(f"is cut short, has {len(start)} bytes, expected {NIFTI_HEADER_BYTES}")
        start += chunk
    return start


def _rescale(stored: np.ndarray, slope: float | None, intercept: float | None) -> Voxels:
    """The voxels (I, J, K) with the slope and the intercept of a header, which may give none."""
    if slope in (None, 1) and intercept in (None, 0):
        return stored
    slices = stored.shape[2]
    return RescaledVoxels(stored, np.full(slices, slope or 1.0), np.full(slices, intercept or 0.0))


def _find_nifti_end(header: "Nifti1Header") -> int:
    """The byte after the last voxel; raises InputError if the header claims what no scan has."""
    if bytes(header["magic"]).rstrip(b"\0") != NIFTI_MAGIC:
        raise InputError("is no NIfTI-1 in one file, expected the header and the voxels together")
    shape = [int(count) for count in header["dim"][1 : header["dim"][0] + 1]]
    has_one_volume = set(shape[3:]) == {1}
    try:
        dtype = header.get_data_dtype()
    except KeyError:
        code = int(header["datatype"])
        raise InputError(f"has the datatype {code}, expected one of NIfTI") from None
    needed = voxel_data.count_bytes(shape[:3] if has_one_volume else shape, dtype)
    offset = float(header["vox_offset"])
    if not NIFTI_HEADER_BYTES <= offset <= MAX_EXTENSION_BYTES:
        raise InputError(
            f"has its voxels at byte {offset:g}, expected {NIFTI_HEADER_BYTES} "
            f"to {MAX_EXTENSION_BYTES}"
        )
    return int(offset) + needed


def _check_nifti_position(header: "Nifti1Header") -> None:
    has_sform, has_qform = bool(header["sform_code"]), bool(header["qform_code"])
    if not has_sform and not has_qform:
        raise InputError("its sform and qform codes are 0, expected one that gives the position")
    spacing = header["pixdim"][1:4]
    if not has_sform and not (spacing > 0).all():  # nibabel would put 1 in place of 0
        raise InputError(f"its affine is singular, pixdim gives {spacing.tolist()} mm per voxel")


READERS = {
    ".nii": read_nifti,
    ".nii.gz": read_nifti,
    ".mha": metaimage.read_metaimage,
    ".mhd": metaimage.read_metaimage,
    ".nrrd": nrrd.read_nrrd,
    ".nhdr": nrrd.read_nrrd,
}
# What finds the data file that a header of this suffix names.
DATA_FILES = {
    ".mha": metaimage.name_data_file,
    ".mhd": metaimage.name_data_file,
    ".nrrd": nrrd.name_data_file,
    ".nhdr": nrrd.name_data_file,
}
