"""A zip with a DICOM series, or with the header and the data file of one volume.

Nothing of a zip is trusted: not its sizes, names or links. Members are written as plain files into
one new folder. Those of DICOM get new names, because their own often contain those of patients.
"""

import re
import zipfile
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path, PurePosixPath

from graft.common.files import InputError
from graft.common.partial import FULL
from graft.service.faults import RefusedError
from graft.service.settings import Limits
from graft.volumes.formats import READERS

DIGITS = 5  # of the number that is the name of a DICOM file
DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
OTHER_SUFFIX = ".other"  # of a file that is no DICOM by its name; it is read if it begins as such
BARE_NAME = re.compile(r"[^.]*|.*\.\d+")  # DICOM without a suffix, or with an UID as its name
CHUNK_BYTES = 1 << 20


def unpack(archive: Path, folder: Path, limits: Limits) -> Path:
    """Write the members of a zip into a new folder.

    Returns:
        What can be read as a volume: the folder, or the one file in it that is named as a volume.

    Raises:
        RefusedError: if the zip is damaged, encrypted, too large, or has several volumes.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = _list_members(opened, limits)
            volumes = [name for name in members if name.lower().endswith(tuple(READERS))]
            if len(volumes) > 1:
                raise RefusedError(
                    HTTPStatus.UNPROCESSABLE_ENTITY,
                    f"the zip contains {len(volumes)} volumes, expected one, or a DICOM series",
                )
            names = _keep_names(members) if volumes else _number_names(members)
            folder.mkdir()
            left = limits.inflated
            for member, name in zip(members, names, strict=True):
                left = _write_member(opened, member, folder / name, left, limits)
    except InputError:
        raise
    except Exception as error:  # a damaged zip makes its reader raise anything
        if isinstance(error, OSError) and error.errno in FULL:
            raise
        raise RefusedError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"the zip cannot be read, it may be cut short or damaged ({type(error).__name__})",
        ) from error
    return folder / PurePosixPath(volumes[0]).name if volumes else folder


def _list_members(opened: zipfile.ZipFile, limits: Limits) -> list[str]:
    """The names of the files, sorted, without hidden ones and the directory of a disc."""
    infos = opened.infolist()
    if len(infos) > limits.files:
        raise RefusedError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the zip contains {len(infos)} files, expected at most {limits.files}",
        )
    names = []
    for info in infos:
        parts = PurePosixPath(info.filename).parts
        is_hidden = any(part.startswith((".", "__MACOSX")) for part in parts if part != "..")
        if info.is_dir() or is_hidden or parts[-1].upper() == "DICOMDIR":
            continue
        if info.flag_bits & 1:
            raise RefusedError(
                HTTPStatus.UNPROCESSABLE_ENTITY, "the zip is encrypted, expected one that is not"
            )
        names.append(info.filename)
    if not names:
        raise RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, "the zip contains no files")
    return sorted(names)


def _keep_names(members: Sequence[str]) -> list[str]:
    """The names without their folders: a header names its data file."""
    names = [PurePosixPath(member).name for member in members]
    if len(set(names)) < len(names):
        raise RefusedError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "the zip contains two files of one name, expected a volume and its data file",
        )
    return names


def _number_names(members: Sequence[str]) -> list[str]:
    """Numbers in the order of the names, each with a suffix that says how the file is read."""
    names = []
    for number, member in enumerate(members, start=1):
        name = PurePosixPath(member).name
        suffix = PurePosixPath(name).suffix.lower()
        if suffix not in DICOM_SUFFIXES:
            suffix = "" if BARE_NAME.fullmatch(name) else OTHER_SUFFIX
        names.append(f"{number:0{DIGITS}d}{suffix}")
    return names


def _write_member(
    opened: zipfile.ZipFile, member: str, path: Path, left: int, limits: Limits
) -> int:
    """Write a member, and return how many bytes the others may have."""
    with opened.open(member) as source, path.open("xb") as file:
        while chunk := source.read(CHUNK_BYTES):
            left -= len(chunk)
            if left < 0:
                raise RefusedError(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                    f"the zip inflates to more than {limits.inflated} bytes, expected fewer",
                )
            file.write(chunk)
    return left
