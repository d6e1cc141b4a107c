"""What was uploaded: recognised by its name or its first bytes, and renamed."""

from http import HTTPStatus
from pathlib import Path

from graft.dicom.datasets import begins_as_dicom
from graft.pictures.picture_files import SUFFIXES
from graft.service.archive import DICOM_SUFFIXES, unpack
from graft.service.faults import RefusedError
from graft.service.settings import Limits
from graft.volumes.formats import READERS

ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
ZIP = ".zip"
DICOM = ".dcm"
KINDS = (*READERS, *SUFFIXES, *DICOM_SUFFIXES, ZIP)


def prepare(upload: Path, shown_name: str, limits: Limits) -> Path:
    """Rename an upload by its kind, and unpack it if it is a zip.

    Args:
        upload: the file as it arrived, without a suffix.
        shown_name: its name where it came from, of which only the end is used.
        limits: of a zip.

    Returns:
        The file or the folder that is read as a scan or a mask.

    Raises:
        RefusedError: if the kind is unknown, or a zip cannot be used.
    """
    suffix = _find_kind(upload, shown_name)
    if suffix == ZIP:
        return unpack(upload, upload.with_name(f"{upload.name}-files"), limits)
    return upload.rename(upload.with_name(upload.name + suffix))


def _find_kind(upload: Path, shown_name: str) -> str:
    if not upload.stat().st_size:
        raise RefusedError(
            HTTPStatus.UNPROCESSABLE_ENTITY, f"{upload.name}: is empty, expected a file"
        )
    for kind in KINDS:
        if shown_name.lower().endswith(kind):
            return DICOM if kind in DICOM_SUFFIXES else kind
    with upload.open("rb") as file:
        start = file.read(4)
    if start in ZIP_STARTS:
        return ZIP
    if begins_as_dicom(upload):
        return DICOM
    raise RefusedError(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        f"{upload.name}: is a file of an unknown kind, expected a name that ends with one of "
        f"{', '.join(KINDS)}",
    )
