"""A processed domain by its folder, small enough to be sent to another process."""

import functools
from dataclasses import dataclass
from pathlib import Path

from graft.common.files import check_sha256, sha256
from graft.data.domain import DOCUMENT, Domain


@dataclass(frozen=True)
class DomainReference:
    """A processed domain, which each process reads once.

    Attributes:
        folder: of the domain.
        sha256: of its document, which has the SHA-256 of its other files.
        records: as in `Domain.read`.
    """

    folder: Path
    sha256: str
    records: Path | None = None

    @classmethod
    def to(cls, folder: Path, records: Path | None = None) -> "DomainReference":
        """Refer to a domain as it is now.

        Raises:
            InputError: if it has no document.
        """
        return cls(folder, sha256(folder / DOCUMENT), records)

    def read(self) -> Domain:
        """Read the domain, or return it as it was read before. Do not change it.

        Raises:
            InputError: if a file cannot be used, or if the domain was changed.
        """
        return _read(self)


@functools.lru_cache(maxsize=2)
def _read(reference: DomainReference) -> Domain:
    check_sha256(reference.folder / DOCUMENT, reference.sha256)
    return Domain.read(reference.folder, reference.records)
