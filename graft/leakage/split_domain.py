"""A domain with its split, as the search for leaks reads it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from graft.data.domain import Domain
from graft.data.split import read_folds, read_split


@dataclass(frozen=True)
class SplitDomain:
    """A domain, the part of each of its N samples, and the fold of those that train in folds.

    Attributes:
        domain: the domain.
        parts: (N,), "" for samples that no model sees.
        folds: (N,), 0 for samples without a fold.
    """

    domain: Domain
    parts: pd.Series
    folds: pd.Series

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
        folds = pd.Series(0, index=domain.index.index)
        rows_of_parts = read_split(split_file, domain.index)
        for part, rows in rows_of_parts.items():
            parts.iloc[rows] = part
        folds.iloc[rows_of_parts["train"]] = read_folds(split_file, domain.index)
        return cls(domain, parts, folds)

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
