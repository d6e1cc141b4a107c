"""The task of a network: the samples that it trains on and is validated on.

Their images are copied to the device once if they fit into a share of its memory. Otherwise they
stay in the file of the domain, and batches are read when they are needed. The bytes are the same.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from graft.data.batches import consecutive
from graft.data.covariates import Encoding, fit_encoding
from graft.data.domain import Domain
from graft.data.image_rows import ImageRows
from graft.data.memory import free_memory
from graft.data.split import read_split

BLOCK = 64  # images that are copied or hashed at once
NO_ROWS = np.zeros(0, np.int64)  # to validate on


@dataclass(frozen=True)
class Samples:
    """N lesions.

    Attributes:
        images: (N, C, *spatial) float16 in [0, 1], on the device or in the file of the domain.
        labels: (N,) int64 class codes, on the device.
        patients: (N,), the patient of each lesion.
        covariates: (N, K) float32, or None if the domain has none.
    """

    images: Tensor | ImageRows
    labels: Tensor
    patients: np.ndarray
    covariates: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def sha256(self) -> str:
        """SHA-256, in hexadecimal, of the bytes of the images, the labels and the covariates."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        digest = hashlib.sha256()
        for block in self._blocks():
            digest.update(block.data)
        for tensor in (self.labels, self.covariates):
            if tensor is not None:
                digest.update(tensor.cpu().numpy().data)
        return digest.hexdigest()

    def _blocks(self) -> Iterator[np.ndarray]:
        """The images in their order, some at a time."""
        if isinstance(self.images, ImageRows):
            yield from self.images.blocks()
            return
        for block in self.images.split(BLOCK):
            yield block.cpu().numpy()

    def on_device(self) -> "Samples":
        """The same samples with their images copied to the device."""
        if isinstance(self.images, Tensor):
            return self
        dtype = torch.from_numpy(self.images[:0]).dtype
        copied = torch.empty(self.images.shape, dtype=dtype, device=self.labels.device)
        for rows in consecutive(len(self), BLOCK):
            copied[rows] = torch.from_numpy(self.images[rows])
        return replace(self, images=copied)

    def take(self, chosen: np.ndarray) -> "Samples":
        """Some of the samples, by their numbers (B,) from 0 to N − 1."""
        rows = torch.from_numpy(chosen).to(self.labels.device)
        images = self.images
        return Samples(
            images=images[rows] if isinstance(images, Tensor) else images.take(chosen),
            labels=self.labels[rows],
            patients=self.patients[chosen],
            covariates=None if self.covariates is None else self.covariates[rows],
        )

    def covariates_of(self, rows: Tensor | slice) -> Tensor | None:
        """The covariates (B, K) of these rows, or None if the domain has none."""
        return None if self.covariates is None else self.covariates[rows]


@dataclass(frozen=True)
class Task:
    """What networks train on, what they are validated on, and the encoding of the covariates.

    There may be no samples to validate on.
    """

    domain: Domain
    train: Samples
    validation: Samples
    encoding: Encoding = Encoding()

    def sha256(self) -> dict[str, str | None]:
        """The entry of a model's card about the data that it trained on and was validated on."""
        return {
            "domain": self.domain.name,
            "train_sha256": self.train.sha256(),
            "validation_sha256": self.validation.sha256() if len(self.validation) else None,
        }


def read_task(
    domain_folder: Path,
    split_file: Path,
    device: torch.device,
    encoding: Encoding | None = None,
    memory: float = 0.0,
    records: Path | None = None,
) -> Task:
    """Read the training part of a domain, and its validation part if it has one.

    Args:
        domain_folder: a processed domain.
        split_file: the table of its parts.
        device: where networks train on the samples.
        encoding: the encoding of a network that has already trained on the domain. Without it,
            an encoding is fitted to the training part.
        memory: the share of the device's free memory that the images of both parts may take. If
            they need more, they stay in their file. It has no influence on results.
        records: as in `Domain.read`.

    Raises:
        InputError: if a file cannot be used, or if a covariate is empty in the training part.
    """
    domain = Domain.read(domain_folder, records)
    parts = read_split(split_file, domain.index)
    validation = parts.get("validation", NO_ROWS)
    return make_task(domain, parts["train"], validation, device, encoding, memory)


def make_task(
    domain: Domain,
    train: np.ndarray,
    validation: np.ndarray,
    device: torch.device,
    encoding: Encoding | None = None,
    memory: float = 0.0,
) -> Task:
    """Make the task of some rows of a domain's index.

    Args:
        domain: that the rows belong to.
        train: rows to train on.
        validation: rows to validate on, or NO_ROWS.
        device: where networks train on the samples.
        encoding: as in `read_task`.
        memory: as in `read_task`.
    """
    if encoding is None:
        encoding = fit_encoding(domain.clinical(train), domain.kinds, domain.name)
    task = Task(
        domain=domain,
        train=take_samples(domain, train, encoding, device),
        validation=take_samples(domain, validation, encoding, device),
        encoding=encoding,
    )
    needed = task.train.images.nbytes + task.validation.images.nbytes
    if memory and needed <= memory * free_memory(device):
        train_on_device, validation_on_device = task.train.on_device(), task.validation.on_device()
        return replace(task, train=train_on_device, validation=validation_on_device)
    return task


def take_samples(
    domain: Domain, rows: np.ndarray, encoding: Encoding, device: torch.device
) -> Samples:
    """Take some rows of a domain's index, with their covariates encoded.

    Everything but the images is copied to the device. The images stay in their file.
    """
    index = domain.index.iloc[rows]
    labels = [domain.classes.index(label) for label in index["label"]]
    covariates = None
    if encoding.width:
        covariates = torch.from_numpy(encoding.encode(domain.clinical(rows))).to(device)
    return Samples(
        images=ImageRows(domain.images, rows),
        labels=torch.tensor(labels, dtype=torch.int64, device=device),
        patients=index["patient"].to_numpy(),
        covariates=covariates,
    )
