"""The task of a network: the samples that it trains on and is validated on.

They are copied to the device. No other part of the domain is.
"""

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
    """N lesions.

    Attributes:
        images: (N, C, *spatial) float16 in [0, 1].
        labels: (N,) int64 class codes.
        patients: (N,), the patient of each lesion.
        covariates: (N, K) float32, or None if the domain has none.
    """

    images: Tensor
    labels: Tensor
    patients: np.ndarray
    covariates: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def sha256(self) -> str:
        """SHA-256, in hexadecimal, of the bytes of the images, the labels and the covariates."""
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
    """The training and validation parts of a domain, and the encoding of its covariates."""

    domain: Domain
    train: Samples
    validation: Samples
    encoding: Encoding = Encoding()

    def sha256(self) -> dict[str, str]:
        """The entry of a model's card about the data that it trained on and was validated on."""
        return {
            "domain": self.domain.name,
            "train_sha256": self.train.sha256(),
            "validation_sha256": self.validation.sha256(),
        }


def read_task(
    domain_folder: Path, split_file: Path, device: torch.device, encoding: Encoding | None = None
) -> Task:
    """Read the training and validation parts of a domain, and copy them to the device once.

    Args:
        domain_folder: a processed domain.
        split_file: the table of its parts.
        device: where the samples are copied.
        encoding: the encoding of a network that has already trained on the domain. Without it,
            an encoding is fitted to the training part.

    Raises:
        InputError: if a file cannot be used, or if a covariate is empty in the training part.
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
    """Make the task of some rows of a domain's index.

    Args:
        domain: that the rows belong to.
        train: rows to train on.
        validation: rows to validate on.
        device: where the samples are copied.
        encoding: as in `read_task`.
    """
    if encoding is None:
        encoding = fit_encoding(domain.clinical(train), domain.kinds, domain.name)
    return Task(
        domain=domain,
        train=take_samples(domain, train, encoding, device),
        validation=take_samples(domain, validation, encoding, device),
        encoding=encoding,
    )


def take_samples(
    domain: Domain, rows: np.ndarray, encoding: Encoding, device: torch.device
) -> Samples:
    """Copy some rows of a domain's index to a device, with their covariates encoded."""
    index = domain.index.iloc[rows]
    labels = [domain.classes.index(label) for label in index["label"]]
    covariates = None
    if encoding.width:
        covariates = torch.from_numpy(encoding.encode(domain.clinical(rows))).to(device)
    return Samples(
        images=torch.from_numpy(np.ascontiguousarray(domain.images[rows])).to(device),
        labels=torch.tensor(labels, dtype=torch.int64, device=device),
        patients=index["patient"].to_numpy(),
        covariates=covariates,
    )
