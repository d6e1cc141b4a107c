"""Batches of images on a device, read ahead in the background if the images are in a file."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from graft.data.image_rows import ImageRows, all_rows

AHEAD = 2  # batches that are read while the device computes

Images = np.ndarray | Tensor | ImageRows
Rows = slice | Tensor
Item = TypeVar("Item")
Result = TypeVar("Result")


def read_batches(images: Images, batches: Sequence[Rows], device: torch.device) -> Iterator[Tensor]:
    """Yield the images (B, C, *spatial) float32 of each batch, on a device.

    Images in a file are read by a thread while the batches before are computed. On a GPU they go
    through pinned memory, so that copying them does not wait for the computation.

    Args:
        images: (N, C, *spatial).
        batches: the rows of each batch.
        device: where the batches are wanted.

    Raises:
        InputError: if the file of the images was changed.
    """
    if isinstance(images, Tensor):
        for rows in batches:
            yield images[rows].to(device, torch.float32)
        return
    stored = all_rows(images) if isinstance(images, np.ndarray) else images
    pinned = device.type == "cuda"

    def read(rows: Rows) -> Tensor:
        batch = torch.from_numpy(stored[rows])
        return batch.pin_memory() if pinned else batch

    for batch in read_ahead(read, batches):
        yield batch.to(device, non_blocking=True).float()


def consecutive(count: int, size: int) -> list[slice]:
    """Batches of `size` neighbouring rows, the last one perhaps smaller, of `count` rows."""
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def read_ahead(read: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yield read(item) for each item in order, called in a thread for up to AHEAD items ahead.

    What `read` raises is raised at its item. The thread ends with the iterator.
    """
    with ThreadPoolExecutor(max_workers=1) as thread:
        results: deque[Future[Result]] = deque()
        try:
            for item in items:
                results.append(thread.submit(read, item))
                if len(results) > AHEAD:
                    yield results.popleft().result()
            while results:
                yield results.popleft().result()
        finally:
            for result in results:
                result.cancel()
