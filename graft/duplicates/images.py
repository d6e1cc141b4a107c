"""Some images of one or several domains, each read from its file when it is needed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from graft.data.domain import Domain

Selection = tuple[Domain, np.ndarray]  # some rows of a domain


class ImageList(Protocol):
    """N images (C, *spatial), such as a list, an array, or `Images`."""

    def __len__(self) -> int:
        """N."""

    def __getitem__(self, number: int, /) -> np.ndarray:
        """One of them."""


@dataclass(frozen=True)
class Images:
    """The images of several selections, numbered from 0 through all."""

    selections: Sequence[Selection]

    def __len__(self) -> int:
        return sum(len(rows) for _, rows in self.selections)

    def __getitem__(self, number: int, /) -> np.ndarray:
        for domain, rows in self.selections:
            if number < len(rows):
                return domain.images[rows[number]]
            number -= len(rows)
        raise IndexError(number)

    def only(self, numbers: np.ndarray) -> "Images":
        """Return some of the images, in the order of their rising numbers."""
        selected = []
        offset = 0
        for domain, rows in self.selections:
            end = offset + len(rows)
            chosen = numbers[(offset <= numbers) & (numbers < end)]
            selected.append((domain, rows[chosen - offset]))
            offset = end
        return Images(selected)
