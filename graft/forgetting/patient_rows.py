"""A patient in a processed domain and its split, compared with what the cards of models say."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from graft.common.files import InputError
from graft.data.domain import Domain
from graft.data.split import read_split
from graft.forgetting.wanted import Wanted
from graft.keys.pseudonyms import keyed_sha256

NO_ROWS = np.zeros(0, np.int64)


@dataclass(frozen=True)
class PatientRows:
    """The rows of a patient in a processed domain, as they are before anything is deleted.

    Attributes:
        folder: of the processed domain.
        split: the table of its parts.
        without_labels: the list of the images that a network may have learned from without labels.
        wanted: the patient.
    """

    folder: Path
    split: Path
    without_labels: Path
    wanted: Wanted
    _digests: dict[str, Sequence[str]] = field(default_factory=dict)

    @cached_property
    def index(self) -> pd.DataFrame | None:
        """index.csv, also of a damaged domain; None if it cannot be read."""
        try:
            return pd.read_csv(self.folder / "index.csv", dtype=str, keep_default_na=False)
        except (OSError, ValueError):
            return None

    @cached_property
    def rows(self) -> np.ndarray:
        """The numbers of the patient's rows."""
        if self.index is None or "patient" not in self.index:
            return NO_ROWS
        return np.flatnonzero([self.wanted.is_pseudonym(name) for name in self.index["patient"]])

    @property
    def pseudonyms(self) -> list[str]:
        """The pseudonym of the patient here; none if the patient is not here."""
        if self.index is None or not len(self.rows):
            return []
        return sorted(set(self.index["patient"].iloc[self.rows]))

    def patches(self) -> list[bytes]:
        """The bytes of the patient's images and masks."""
        found = []
        for file in sorted(self.folder.glob("*.npy")):
            try:
                array = np.load(file, mmap_mode="r", allow_pickle=False)
                found += [array[row].tobytes() for row in self.rows if row < len(array)]
            except (OSError, ValueError, EOFError):  # damaged: it will be deleted all the same
                continue
        return found

    def saw_labels(self, data: Mapping, covariates: Sequence) -> str | None:
        """How a model that was trained on the domain has seen the patient, by its card.

        Returns "train" or "validation", "" if it has not, or None if its data is not here any more.
        """
        encoding = json.dumps(covariates, sort_keys=True)
        if data.get("train_sha256") not in self._digests_of("train", encoding):
            return None
        validated = data.get("validation_sha256")
        if validated and validated not in self._digests_of("validation", encoding):
            return None
        for part in ("train", "validation"):
            if np.isin(self.rows, self._parts.get(part, NO_ROWS)).any():
                return part if part == "train" or validated else ""
        return ""

    def saw_images(self, entry: object) -> str | None:
        """How a network that learned without labels has seen the patient, as `saw_labels`."""
        from graft.selfsupervised.without_labels import (
            describe_seen,
            read_images_without_labels,
            rows_without_labels,
        )

        if self._domain is None:
            return None
        try:
            listed = read_images_without_labels(self.without_labels)[self._domain.name]
            rows = rows_without_labels(self.without_labels, listed, self._domain)
        except (InputError, KeyError):
            return None
        if describe_seen(self._domain, rows) != entry:
            return None
        return "train" if np.isin(self.rows, rows).any() else ""

    @cached_property
    def _domain(self) -> Domain | None:
        try:
            return Domain.read(self.folder)
        except InputError:
            return None

    @cached_property
    def _parts(self) -> Mapping[str, np.ndarray]:
        if self._domain is None:
            return {}
        try:
            return read_split(self.split, self._domain.index)
        except InputError:
            return {}

    def _digests_of(self, part: str, encoding: str) -> Sequence[str]:
        """SHA-256 of a part as cards have it, also under a key; none if it is not here."""
        name = part + encoding
        if name not in self._digests:
            digest = self._compute_digest(part, encoding)
            keyed = [keyed_sha256(digest, key) for key in self.wanted.keys]
            self._digests[name] = [digest, *keyed] if digest else []
        return self._digests[name]

    def _compute_digest(self, part: str, encoding: str) -> str:
        if self._domain is None or part not in self._parts:
            return ""
        import torch

        from graft.data.covariates import Encoding
        from graft.data.task import take_samples

        try:
            columns = Encoding(json.loads(encoding))
            cpu = torch.device("cpu")
            return take_samples(self._domain, self._parts[part], columns, cpu).sha256()
        except (InputError, KeyError, TypeError):  # other covariates than now
            return ""
