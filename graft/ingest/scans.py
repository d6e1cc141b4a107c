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
from graft.data.volume import ScanHeader, Volume
from graft.ingest.rows import LesionRow

HAS_NUMBER = re.compile(r"[1-9]")


@dataclass(frozen=True)
class Scan:
    """What tells one scan from another: a digest of its voxels, and its header in DICOM."""

    voxels: str
    header: ScanHeader | None

    @classmethod
    def of(cls, volume: Volume) -> "Scan":
        """Identify a scan by its stored voxels, so that copies in other formats are the same."""
        voxels: Any = volume.voxels
        if hasattr(voxels, "get_unscaled"):  # of NIfTI
            voxels = voxels.get_unscaled()
        stored = np.asarray(getattr(voxels, "stored", voxels))  # of DICOM
        stored = stored.astype(stored.dtype.newbyteorder("<"), copy=False)
        digest = hashlib.sha256(f"{stored.shape} {stored.dtype.str}".encode())
        digest.update(np.ascontiguousarray(stored.T).data)  # files have the first axis innermost
        return cls(digest.hexdigest(), volume.header)


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
    headers = [scan.header for scan in scans]
    series = [header.series_uid if header else "" for header in headers]
    people = [header.patient_id.casefold() if header else "" for header in headers]
    expected = "expected one patient per scan"
    _check_owners(table, lesions, [scan.voxels for scan in scans], "the voxels", expected)
    _check_owners(table, lesions, series, "the SeriesInstanceUID", expected)
    shared = _find_constants(people, lesions)
    if any(shared.values()):
        count = max(shared.values())
        say(
            f"{table}: {count} patients have the same PatientID in DICOM, which looks anonymised, "
            "so graft cannot tell whether some of them are one person"
        )
    known = []
    for person, lesion in zip(people, lesions, strict=True):
        known.append((person, lesion.site) if person and person not in shared else "")
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


def _find_constants(people: Sequence[str], lesions: Sequence[LesionRow]) -> dict[str, int]:
    """The PatientIDs that identify nobody, each with the number of patients who share it, or 0."""
    patients: dict[str, set[str]] = defaultdict(set)
    for person, lesion in zip(people, lesions, strict=True):
        if person:
            patients[person].add(lesion.patient)
    constants = {}
    for person, owners in patients.items():
        if len(patients) == 1 or not HAS_NUMBER.search(person):
            constants[person] = len(owners) if len(owners) > 1 else 0
    return constants
