"""The list of the images that a network may learn from without their labels.

The search for leaks writes it, self-supervision and the audit read it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from graft.common.files import REMEDY, InputError, read_sealed, whole_file, write_sealed
from graft.data.domain import Domain
from graft.data.image_rows import ImageRows
from graft.data.split import describe_lesions

DOMAINS = "domains"


def write_images_without_labels(path: Path, images: Sequence[tuple[Domain, np.ndarray]]) -> None:
    """Write which rows of which domains may be used, in rising order.

    Args:
        path: the file.
        images: domains and rows of their index; empty if no image is used.
    """
    listed = {}
    for domain, rows in images:
        listed[domain.name] = {
            "lesions_sha256": _lesions_sha256(domain),
            "samples": np.sort(rows).tolist(),
        }
    with whole_file(path) as partial:
        write_sealed(partial, {DOMAINS: listed})


def read_images_without_labels(path: Path) -> Mapping[str, Mapping]:
    """Read the entry of each domain in a list.

    Raises:
        InputError: if the file is missing, broken or changed.
    """
    content = read_sealed(path)
    if not isinstance(content.get(DOMAINS), dict):
        raise InputError(f"{path}: has no key {DOMAINS!r}, expected the list of check; {REMEDY}")
    return content[DOMAINS]


def rows_without_labels(path: Path, entry: Mapping, domain: Domain) -> np.ndarray:
    """The rows of a domain's index in its entry of a list.

    Args:
        path: of the list, for messages.
        entry: of the domain.
        domain: whose rows they are.

    Raises:
        InputError: if the list is about other lesions than the domain has now.
    """
    if entry["lesions_sha256"] != _lesions_sha256(domain):
        raise InputError(
            f"{path}: is about other lesions of {domain.name} than there are now, expected the "
            f"list of these {len(domain.index)}; {REMEDY}"
        )
    return np.array(entry["samples"], dtype=np.int64)


def describe_seen(domain: Domain, rows: np.ndarray) -> dict[str, str | int | None]:
    """What the card of a model says about the images that it learned from without labels.

    Returns:
        `images`, `patients` (None if they are unknown), and `images_sha256` of their bytes.
    """
    digest = hashlib.sha256()
    for block in ImageRows(domain.images, rows).blocks():
        digest.update(block.data)
    patients = domain.index["patient"].iloc[rows].nunique()
    return {
        "images": len(rows),
        "patients": int(patients) if domain.patients_known else None,
        "images_sha256": digest.hexdigest(),
    }


def _lesions_sha256(domain: Domain) -> str:
    return hashlib.sha256(describe_lesions(domain.index).encode()).hexdigest()
