"""The readers of NIfTI, MetaImage and NRRD files: voxels, and their affine to mm, RAS+."""

import gzip
import os
import re
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graft.common.files import InputError
from graft.console import silence
from graft.data.volume import LPS_TO_RAS
from graft.dicom.quiet import quiet_readers

if TYPE_CHECKING:
    from nibabel import Nifti1Header

NIFTI_ERROR_LEVEL = 35  # of nibabel: headers with worse faults are refused, not repaired
NIFTI_LOGGER = "nibabel.global"  # it records what nibabel also raises
ITK_HEADER_BYTES = 1 << 20  # of a MetaImage or NRRD file, searched for the name of its data file
ITK_DATA_FILE = re.compile(
    rb"^(?:elementdatafile|data ?file)\s*[=:]\s*(.+?)\s*$", re.IGNORECASE | re.MULTILINE
)


def read_nifti(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a NIfTI file; raises InputError if it gives no position or is cut short."""
    import nibabel
    from nibabel.imageglobals import ErrorLevel

    content = path.read_bytes()
    if path.suffix.lower() == ".gz":
        content = gzip.decompress(content)  # checks the length and the checksum at its end
    header = nibabel.Nifti1Header.from_fileobj(BytesIO(content), check=False)
    _check_nifti_position(path, header)
    with quiet_readers(NIFTI_LOGGER), ErrorLevel(NIFTI_ERROR_LEVEL):
        image = nibabel.Nifti1Image.from_bytes(content)
    voxel_bytes = int(np.prod(image.shape)) * header.get_data_dtype().itemsize
    end = int(header["vox_offset"]) + voxel_bytes
    if len(content) < end:
        raise InputError(f"{path}: is cut short, has {len(content)} bytes, expected {end}")
    has_one_volume = set(image.shape[3:]) == {1}
    shape = image.shape[:3] if has_one_volume else image.shape
    voxels: Any = image.dataobj  # read from the content when it is sliced
    return voxels.reshape(shape), image.affine


def read_itk(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a MetaImage or NRRD file.

    Raises InputError if its voxels are in a file of another folder, and RuntimeError if ITK cannot
    read it.
    """
    import SimpleITK

    _check_data_file(path)
    with silence():
        image = SimpleITK.ReadImage(str(path))
    voxels = SimpleITK.GetArrayFromImage(image).T  # (I, J, K), and more axes for time or channels
    affine = np.eye(4)
    if voxels.ndim != 3:
        return voxels, affine
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return voxels, LPS_TO_RAS @ affine


def _check_nifti_position(path: Path, header: "Nifti1Header") -> None:
    has_sform, has_qform = bool(header["sform_code"]), bool(header["qform_code"])
    if not has_sform and not has_qform:
        raise InputError(
            f"{path}: its sform and qform codes are 0, expected one that gives the position"
        )
    spacing = header["pixdim"][1:4]
    if not has_sform and not (spacing > 0).all():  # nibabel would put 1 in place of 0
        raise InputError(
            f"{path}: its affine is singular, pixdim gives {spacing.tolist()} mm per voxel"
        )


def _check_data_file(path: Path) -> None:
    """Raise InputError if the voxels of a header are in a file of another folder."""
    with path.open("rb") as file:
        start = file.read(ITK_HEADER_BYTES)
    header = start.replace(b"\r", b"").split(b"\n\n")[0]
    found = ITK_DATA_FILE.search(header)
    if found is None or found[1].upper() == b"LOCAL":
        return
    name = os.fsdecode(found[1])
    data = path.parent / name
    if data.resolve().parent != path.parent.resolve() or not data.is_file():
        raise InputError(f"{path}: its data file is {name!r}, expected a file in the same folder")


READERS = {
    ".nii": read_nifti,
    ".nii.gz": read_nifti,
    ".mha": read_itk,
    ".mhd": read_itk,
    ".nrrd": read_itk,
    ".nhdr": read_itk,
}
