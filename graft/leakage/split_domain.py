"""A domain with its split, as the search for leaks reads it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from graft.data.domain import Domain
from graft.data.split import read_split


@dataclass(frozen=True)
class SplitDomain:
    """A domain and the part of each of its N samples, "" for samples that no model sees."""

    domain: Domain
    parts: pd.Series  # (N,)

    @classmethod
    def from_files(
        cls, folder: Path, split_file: Path, records: Path | None = None
    ) -> "SplitDomain":
        """Read a processed domain and its split.

        Raises:
            InputError: if one of them is broken.
        """
        domain = Domain.read(folder, records)
        parts = pd.Series("", index=domain.index.index)
        for part, rows in read_split(split_file, domain.index).items():
            parts.iloc[rows] = part
        return cls(domain, parts)

    @property
    def name(self) -> str:
        """The name of the domain."""
        return self.domain.name

    def rows(self, *parts: str) -> np.ndarray:
        """Return the rows of these parts."""
        return np.flatnonzero(self.parts.isin(parts))

    def places(self) -> np.ndarray:
        """Return the origin and the part of each sample, in words: (N,)."""
        places = []
        for origin, part in zip(self.domain.index["origin"], self.parts, strict=True):
            places.append(f"{origin} ({part or 'unused'})")
        return np.array(places)
