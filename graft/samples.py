"""The training and validation parts of a processed domain, on the device. The test parts are never read here."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from graft import split
from graft.domain import Domain


@dataclass(frozen=True)
class Samples:
    """N lesions: images (N, C, *spatial) float16 in [0, 1], labels (N,) int64, patients (N,)."""

    images: Tensor
    labels: Tensor
    patients: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def bytes(self) -> Iterator[bytes]:
        """The bytes of the images and of the labels, for a hash of what was learnt from."""
        for tensor in (self.images, self.labels):
            yield tensor.cpu().numpy().tobytes()


@dataclass(frozen=True)
class Task:
    """What a network can learn from one domain."""

    domain: Domain
    train: Samples
    validation: Samples


def read(domain_folder: Path, split_file: Path, device: torch.device) -> Task:
    """The training and validation parts; a domain's patches fit in memory, so they go to the device once."""
    domain = Domain.read(domain_folder)
    parts = split.read(split_file, domain.index)
    return Task(domain, *(_part(domain, parts[part], device) for part in ("train", "validation")))


def _part(domain: Domain, rows: np.ndarray, device: torch.device) -> Samples:
    index = domain.index.iloc[rows]
    labels = [domain.classes.index(label) for label in index["label"]]
    return Samples(
        torch.from_numpy(np.ascontiguousarray(domain.images[rows])).to(device),
        torch.tensor(labels, dtype=torch.int64, device=device),
        index["patient"].to_numpy(),
    )
