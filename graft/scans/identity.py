"""Whose scans they are: no scan, and no person, may have two patients in a manifest."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from graft.common.files import InputError
from graft.console import say
from graft.grids.volume import Volume
from graft.scans.keyed import keyed_digest
from graft.scans.lesion import LesionRow
from graft.volumes.inflate import crc32

DIGESTED_PLANES = 16
HAS_NUMBER = re.compile(r"[1-9]")


@dataclass(frozen=True)
class Scan:
    """What tells one scan from another: digests, which do not say whose scan it is.

    Attributes:
        voxels: of the stored voxels.
        series: of the SeriesInstanceUID in DICOM; "" if there is none.
        person: of the PatientID in DICOM; "" if there is none.
        is_numbered: whether the PatientID has a digit above 0.
    """

    voxels: str
    series: str
    person: str
    is_numbered: bool

    @classmethod
    def of(cls, volume: Volume, secret: str) -> "Scan":
        """Identify a scan by its stored voxels, so that copies in other formats are the same.

        `secret` is the key of the digests of the header, which could be guessed without one.
        """
        voxels = _digest_voxels(getattr(volume.voxels, "stored", volume.voxels))  # not rescaled
        if volume.header is None:
            return cls(voxels, "", "", False)
        person = volume.header.patient_id.casefold()
        return cls(
            voxels=voxels,
            series=keyed_digest(f"series {volume.header.series_uid}", secret),
            person=keyed_digest(f"person {person}", secret) if person else "",
            is_numbered=bool(HAS_NUMBER.search(person)),
        )


def _digest_voxels(voxels: Any) -> str:
    """A digest of stored voxels: the CRC-32 of all, and the SHA-256 of some planes.

    Equal voxels have equal digests. Others do not, unless they agree in these planes and by chance,
    one in 2³², in the CRC. The SHA-256 of all would take a fifth of the time to read a scan.
    """
    stored = np.asarray(voxels)
    stored = stored.astype(stored.dtype.newbyteorder("<"), copy=False)
    in_order = np.ascontiguousarray(stored.T)  # files have the first axis innermost
    digest = hashlib.sha256(f"{stored.shape} {stored.dtype.str} {crc32(in_order.data)}".encode())
    for plane in in_order[::DIGESTED_PLANES]:
        digest.update(plane.data)
    return digest.hexdigest()


def check_scans(table: Path, lesions: Sequence[LesionRow], scans: Sequence[Scan]) -> None:
    """Check that each scan and each person has one name in the column `patient`.

    A PatientID that was replaced by a constant identifies nobody: one that all patients share, or
    one without a digit above 0. Patients who share it are reported, and their series tell them
    apart. Hospitals may use the same number for two people, so it counts per site.

    Args:
        table: the manifest, for messages.
        lesions: its rows.
        scans: that of each lesion.

    Raises:
        InputError: if two patients share a scan or a PatientID that identifies a person.
    """
    expected = "expected one patient per scan"
    _check_owners(table, lesions, [scan.voxels for scan in scans], "the voxels", expected)
    _check_owners(
        table, lesions, [scan.series for scan in scans], "the SeriesInstanceUID", expected
    )
    shared = _find_constants(scans, lesions)
    if any(shared.values()):
        count = max(shared.values())
        say(
            f"{table}: {count} patients have the same PatientID in DICOM, which looks anonymised, "
            "so graft cannot tell whether some of them are one person"
        )
    known = []
    for scan, lesion in zip(scans, lesions, strict=True):
        is_known = scan.person and scan.person not in shared
        known.append((scan.person, lesion.site) if is_known else "")
    expected = (
        "expected one patient per person (for two people with one number, fill the column site)"
    )
    _check_owners(table, lesions, known, "the PatientID", expected)


def _check_owners(
    table: Path, lesions: Sequence[LesionRow], keys: Sequence[object], what: str, expected: str
) -> None:
    """Raise InputError if lesions of two patients have the same key, unless it is empty."""
    owners: dict[object, LesionRow] = {}
    for lesion, key in zip(lesions, keys, strict=True):
        if not key:
            continue
        owner = owners.setdefault(key, lesion)
        if owner.patient != lesion.patient:
            raise InputError(
                f"{table}:{lesion.line}: {lesion.image.name} has {what} of a scan of another "
                f"patient, on line {owner.line}, {expected}"
            )


def _find_constants(scans: Sequence[Scan], lesions: Sequence[LesionRow]) -> dict[str, int]:
    """The PatientIDs that identify nobody, each with the number of patients who share it, or 0."""
    patients: dict[str, set[str]] = defaultdict(set)
    numbered = {scan.person for scan in scans if scan.is_numbered}
    for scan, lesion in zip(scans, lesions, strict=True):
        if scan.person:
            patients[scan.person].add(lesion.patient)
    constants = {}
    for person, owners in patients.items():
        if len(patients) == 1 or person not in numbered:
            constants[person] = len(owners) if len(owners) > 1 else 0
    return constants
