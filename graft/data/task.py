"""What a network learns from and validates on, on the device. No other part of the domain is read here."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from graft.data.covariates import Encoding, fit_encoding
from graft.data.domain import Domain
from graft.data.split import read_split


@dataclass(frozen=True)
class Samples:
    """N lesions: images (N, C, *spatial) float16 in [0, 1], labels (N,) int64, patients (N,).

    `covariates` (N, K) float32 are those of the lesions as numbers, or None where the domain has none.
    """

    images: Tensor
    labels: Tensor
    patients: np.ndarray
    covariates: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def sha256(self) -> str:
        """SHA-256, in hexadecimal, of the bytes of the images, the labels and the covariates: what was learnt from."""
        digest = hashlib.sha256()
        for tensor in (self.images, self.labels, self.covariates):
            if tensor is not None:
                digest.update(tensor.cpu().numpy().tobytes())
        return digest.hexdigest()

    def covariates_of(self, rows: Tensor | slice) -> Tensor | None:
        """The covariates (B, K) of these rows, or None if the domain has none."""
        return None if self.covariates is None else self.covariates[rows]


@dataclass(frozen=True)
class Task:
    """What a network can learn from one domain, and how its covariates were made into numbers."""

    domain: Domain
    train: Samples
    validation: Samples
    encoding: Encoding = Encoding()

    def sha256(self) -> dict[str, str]:
        """What a card says of the data that a model learnt from and was validated on."""
        hashes = {
            f"{part}_sha256": getattr(self, part).sha256() for part in ("train", "validation")
        }
        return {"domain": self.domain.name, **hashes}


def read_task(
    domain_folder: Path, split_file: Path, device: torch.device, encoding: Encoding | None = None
) -> Task:
    """The training and validation parts; a domain's patches fit in memory, so they go to the device once.

    `encoding` is that of the network which learns on, if it has learnt here before; without it, the training part
    teaches one.
    """
    domain = Domain.read(domain_folder)
    parts = read_split(split_file, domain.index)
    return make_task(domain, parts["train"], parts["validation"], device, encoding)


def make_task(
    domain: Domain,
    train: np.ndarray,
    validation: np.ndarray,
    device: torch.device,
    encoding: Encoding | None = None,
) -> Task:
    """The task of these rows of a domain's index; `encoding` as for `read`."""
    encoding = encoding or fit_encoding(domain.clinical(train), domain.kinds, domain.name)
    return Task(
        domain,
        *(take_samples(domain, rows, encoding, device) for rows in (train, validation)),
        encoding,
    )


def take_samples(
    domain: Domain, rows: np.ndarray, encoding: Encoding, device: torch.device
) -> Samples:
    """Some lesions of a domain, by the rows of its index, whose covariates become numbers by an encoding."""
    index = domain.index.iloc[rows]
    labels = [domain.classes.index(label) for label in index["label"]]
    return Samples(
        torch.from_numpy(np.ascontiguousarray(domain.images[rows])).to(device),
        torch.tensor(labels, dtype=torch.int64, device=device),
        index["patient"].to_numpy(),
        torch.from_numpy(encoding.encode(domain.clinical(rows))).to(device)
        if encoding.width
        else None,
    )
