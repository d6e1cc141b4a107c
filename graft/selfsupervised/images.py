"""The images of several domains as one, to learn from without labels."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from graft.common.files import InputError
from graft.data.domain import Domain
from graft.data.image_rows import ImageRows
from graft.data.memory import free_memory
from graft.data.task import Samples


class JoinedImages(ImageRows):
    """The images (N, C, *spatial) of several domains, one after the other, in their files.

    Args:
        several: rows of at least one domain.

    Raises:
        InputError: if the images of two domains have different shapes.
    """

    def __init__(self, several: Sequence[ImageRows]) -> None:
        shape = several[0].shape[1:]
        for other in several[1:]:
            if other.shape[1:] != shape:
                raise InputError(
                    f"self_supervise.domains: the images have the shapes {shape} and "
                    f"{other.shape[1:]}, expected one shape in source and target, or 'source'"
                )
        self.shape = (sum(len(rows) for rows in several), *shape)
        self.nbytes = sum(rows.nbytes for rows in several)
        self._several = several

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, chosen: slice | np.ndarray | Tensor) -> np.ndarray:
        """Read the images with some numbers from 0 to N − 1: (B, C, *spatial)."""
        numbers = np.arange(len(self))[chosen if isinstance(chosen, slice) else np.asarray(chosen)]
        found = np.empty((len(numbers), *self.shape[1:]), np.float16)
        start = 0
        for rows in self._several:
            here = (start <= numbers) & (numbers < start + len(rows))
            found[here] = rows[numbers[here] - start]
            start += len(rows)
        return found

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield all images in their order, some at a time: (B, C, *spatial)."""
        for rows in self._several:
            yield from rows.blocks()


def take_images(
    seen: Sequence[tuple[Domain, np.ndarray]], device: torch.device, memory: float = 0.0
) -> Samples:
    """Take some rows of some domains as samples without labels: all of them are 0.

    Args:
        seen: domains and rows of their index.
        device: where a network learns from them.
        memory: as in `graft.data.task.read_task`.

    Raises:
        InputError: if the images of two domains have different shapes.
    """
    images = JoinedImages([ImageRows(domain.images, rows) for domain, rows in seen])
    patients = [domain.index["patient"].to_numpy()[rows] for domain, rows in seen]
    labels = torch.zeros(len(images), dtype=torch.int64, device=device)
    samples = Samples(images, labels, np.concatenate(patients))
    if memory and images.nbytes <= memory * free_memory(device):
        return samples.on_device()
    return samples
