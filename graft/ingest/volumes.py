"""Medical volumes: read whole and intact, with where they lie in the patient."""

import gzip
import os
import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np

from graft.common.files import InputError
from graft.console import silence
from graft.data.volume import LPS_TO_RAS, SAME_MM, Volume

NIFTI_FAULT = 35  # nibabel's level of a fault from which a header is refused, and not mended
HEADER_BYTES = 1 << 20  # of a MetaImage or NRRD file, searched for the name of its data file


def read_volume(path: Path, series: str = "", burned_in: bool = False) -> Volume:
    """Read a volume of three dimensions: NIfTI, MetaImage or NRRD by its suffix, or DICOM, a folder or a file.

    The files are read to their end, so that one that was cut short is refused wherever the cut lies. `series` and
    `burned_in` are those of graft.dicom.series, and for DICOM alone.

    Raises InputError where it is missing, broken, of another kind or shape, or does not say where it lies.
    """
    if not path.exists():
        raise InputError(f"{path}: is missing, expected a volume")
    if _is_dicom(path):
        from graft.dicom.series import read_series

        voxels, affine = read_series(path, series, burned_in)
        return Volume(path, voxels, LPS_TO_RAS @ affine)
    if series:
        raise InputError(f"{path}: is no DICOM, expected the column series to be empty")
    reader = _reader(path)
    if reader is None:
        known = f"{', '.join(READERS)}, or DICOM"
        raise InputError(f"{path}: is no kind of volume that is known, expected one of {known}")
    try:
        voxels, affine = reader(path)
    except InputError:
        raise
    except Exception as error:  # a broken file makes its reader raise anything
        reason = (str(error).strip() or type(error).__name__).splitlines()[-1].strip()
        raise InputError(
            f"{path}: cannot be read, it may be cut short or damaged ({reason})"
        ) from error
    if len(voxels.shape) != 3:
        raise InputError(
            f"{path}: has {len(voxels.shape)} dimensions {tuple(voxels.shape)}, expected three"
        )
    if voxels.dtype.kind not in "biuf":
        raise InputError(f"{path}: holds {voxels.dtype}, expected one real number a voxel")
    if not (np.isfinite(affine).all() and abs(np.linalg.det(affine[:3, :3])) > 1e-9):
        raise InputError(
            f"{path}: its affine is singular, expected three directions that have a length in mm"
        )
    return Volume(path, voxels, affine)


def read_mask(path: Path, image: Volume, segment: int | None = None) -> Volume:
    """Read a mask as `read` does, or a segment of a DICOM SEG, which is put on the grid of its image.

    Raises InputError as `read` does, and where a SEG lies on another grid or holds several segments and none is named.
    """
    if _is_dicom(path):
        from graft.dicom.masks import read_segment

        return Volume(path, read_segment(path, segment, image), image.affine)
    if segment is not None:
        raise InputError(f"{path}: is no DICOM SEG, expected the column segment to be empty")
    return read_volume(path)


def locate(mask: Volume, image: Volume) -> tuple[np.ndarray, float]:
    """The centroid (3,) of a mask in mm, RAS+, and the diameter in mm of the ball that has its volume.

    Raises InputError where the mask is empty or lies on another grid than its image.
    """
    shape = tuple(image.voxels.shape)
    corners = np.array([[0, 0, 0], *np.diag(shape)])
    apart = np.abs(mask.to_mm(corners) - image.to_mm(corners)).max()  # mm
    if tuple(mask.voxels.shape) != shape or apart > SAME_MM:
        raise InputError(
            f"{mask.path}: lies on another grid than {image.path.name}, expected its shape and affine"
        )
    inside = np.argwhere(np.asarray(mask.voxels) > 0)  # (voxels, 3)
    if not len(inside):
        raise InputError(f"{mask.path}: is empty, expected voxels above 0 where the lesion is")
    volume = len(inside) * abs(np.linalg.det(mask.affine[:3, :3]))  # mm³
    return mask.to_mm(inside.mean(0)), float((6 * volume / np.pi) ** (1 / 3))


def _is_dicom(path: Path) -> bool:
    """Whether a path of no other kind is a folder, or a file that is named as DICOM is or begins so."""
    if path.is_dir() or path.suffix.lower() == ".dcm":
        return True
    if _reader(path) or not path.is_file():
        return False
    from graft.dicom.datasets import begins_as_dicom

    return begins_as_dicom(path)


def _reader(path: Path) -> Callable[[Path], tuple[np.ndarray, np.ndarray]] | None:
    return next(
        (reader for suffix, reader in READERS.items() if path.name.lower().endswith(suffix)), None
    )


def _read_nifti(path: Path) -> tuple[np.ndarray, np.ndarray]:
    import nibabel
    from nibabel.imageglobals import ErrorLevel, logger

    content = path.read_bytes()
    if path.suffix.lower() == ".gz":
        content = gzip.decompress(content)  # checks the length and the sum at its end
    header = nibabel.Nifti1Header.from_fileobj(BytesIO(content), check=False)
    if not (header["sform_code"] or header["qform_code"]):
        raise InputError(
            f"{path}: its sform and qform codes are 0, expected one that says how the scan lies"
        )
    if not (
        header["sform_code"] or (header["pixdim"][1:4] > 0).all()
    ):  # nibabel would put 1 in place of 0
        raise InputError(
            f"{path}: its affine is singular, pixdim says {header['pixdim'][1:4].tolist()} mm a voxel"
        )
    logger.disabled = True  # what matters is raised
    with ErrorLevel(NIFTI_FAULT):
        image = nibabel.Nifti1Image.from_bytes(content)
    end = int(header["vox_offset"]) + int(np.prod(image.shape)) * header.get_data_dtype().itemsize
    if len(content) < end:
        raise InputError(f"{path}: is cut short, holds {len(content)} bytes, expected {end}")
    shape = image.shape[:3] if set(image.shape[3:]) == {1} else image.shape
    return image.dataobj.reshape(shape), image.affine


def _read_itk(path: Path) -> tuple[np.ndarray, np.ndarray]:
    import SimpleITK

    _check_data_file(path)
    with silence():
        image = SimpleITK.ReadImage(str(path))
    voxels = SimpleITK.GetArrayFromImage(
        image
    ).T  # (I, J, K); more axes where it has time or channels
    if voxels.ndim != 3:
        return voxels, np.eye(4)
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return voxels, LPS_TO_RAS @ affine


def _check_data_file(path: Path) -> None:
    """Refuse a header whose voxels lie in a file elsewhere."""
    with path.open("rb") as file:
        header = file.read(HEADER_BYTES).replace(b"\r", b"").split(b"\n\n")[0]
    found = re.search(
        rb"^(?:elementdatafile|data ?file)\s*[=:]\s*(.+?)\s*$", header, re.IGNORECASE | re.MULTILINE
    )
    if found is None or found[1].upper() == b"LOCAL":
        return
    data = path.parent / os.fsdecode(found[1])
    if data.resolve().parent != path.parent.resolve() or not data.is_file():
        raise InputError(
            f"{path}: its data file is {os.fsdecode(found[1])!r}, expected a file in the same folder"
        )


READERS = {
    ".nii": _read_nifti,
    ".nii.gz": _read_nifti,
    ".mha": _read_itk,
    ".mhd": _read_itk,
    ".nrrd": _read_itk,
    ".nhdr": _read_itk,
}
