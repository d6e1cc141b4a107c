"""The readers of volumes by suffix, and that of NIfTI: voxels, and their affine to mm, RAS+."""

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graft.common.files import InputError
from graft.dicom.quiet import quiet_readers
from graft.volumes import voxel_data
from graft.volumes.metaimage import read_metaimage
from graft.volumes.nrrd import read_nrrd

if TYPE_CHECKING:
    from nibabel import Nifti1Header

NIFTI_ERROR_LEVEL = 35  # of nibabel: headers with worse faults are refused, not repaired
NIFTI_LOGGER = "nibabel.global"  # it records what nibabel also raises
NIFTI_HEADER_BYTES = 348
NIFTI_MAGIC = b"n+1"  # header and voxels in one file
MAX_EXTENSION_BYTES = 1 << 26  # between the header and the voxels


def read_nifti(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a NIfTI file to its end.

    Raises InputError without the path if it gives no position, is cut short, or claims more voxels
    than it has.
    """
    import nibabel
    from nibabel.imageglobals import ErrorLevel

    content = BytesIO()
    is_compressed = path.suffix.lower() == ".gz"
    with path.open("rb") as file:
        size = voxel_data.count_remaining(file)
        chunks = voxel_data.inflate(file) if is_compressed else voxel_data.read_chunks(file)
        voxel_data.fill(content, chunks, NIFTI_HEADER_BYTES)
        start = BytesIO(content.getvalue()[:NIFTI_HEADER_BYTES])
        header = nibabel.Nifti1Header.from_fileobj(start, check=False)
        _check_nifti_position(header)
        end = _find_nifti_end(header)
        voxel_data.check_size(size, end, is_compressed)
        voxel_data.fill(content, chunks, end)
        if is_compressed:
            voxel_data.check_end(chunks)
    with quiet_readers(NIFTI_LOGGER), ErrorLevel(NIFTI_ERROR_LEVEL):
        image = nibabel.Nifti1Image.from_stream(content)
    voxels: Any = image.dataobj  # read from the content when it is sliced
    return voxels.reshape(image.shape[:3]), image.affine


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
    ".mha": read_metaimage,
    ".mhd": read_metaimage,
    ".nrrd": read_nrrd,
    ".nhdr": read_nrrd,
}
