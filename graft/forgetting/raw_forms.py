"""The raw data of a domain, in the form that it has."""

import os
from pathlib import Path

from graft.common.parameters import Section
from graft.forgetting.patient_rows import PatientRows
from graft.forgetting.raw import RawTrace
from graft.forgetting.raw_arrays import find_in_arrays
from graft.forgetting.raw_manifest import find_in_manifest
from graft.forgetting.raw_npz import find_in_npz
from graft.forgetting.raw_pictures import find_in_pictures
from graft.forgetting.wanted import Wanted
from graft.ingest.arrays import DATA_FILE, LABELS_FILE
from graft.ingest.medmnist import list_npz_files
from graft.ingest.rows import MANIFEST


class ForgetDomain(Section):
    """What is needed of the parameters of a domain to find a patient in its raw data."""

    path: str
    classes: list[str]
    ignore: str | None
    patient_pattern: str | None


def find_raw(
    name: str, domain: ForgetDomain, wanted: Wanted, rows: PatientRows | None
) -> RawTrace | None:
    """What the raw data of a domain has of the patient, in the form that it has."""
    root = Path(domain.path)
    index = None if rows is None else rows.index
    if os.path.lexists(root / MANIFEST):
        return find_in_manifest(name, root, wanted)
    if os.path.lexists(root / DATA_FILE) or os.path.lexists(root / LABELS_FILE):
        return find_in_arrays(
            name, root, wanted, domain.classes, 0 if index is None else len(index)
        )
    archives = list_npz_files(root) if root.exists() else []
    if len(archives) == 1:
        return find_in_npz(name, archives[0], wanted, domain.classes, index)
    if root.is_dir():
        return find_in_pictures(name, root, wanted, domain.patient_pattern, domain.ignore)
    return None
