"""A medical volume and its position in the patient."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
SAME_GRID_MM = 1e-2  # two grids are the same if their corners are at most this far apart


class Voxels(Protocol):
    """An array, or anything that NumPy reads as one when it is sliced or converted."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The size along each axis."""

    def __getitem__(self, where: Any, /) -> Any: ...


@dataclass(frozen=True)
class Volume:
    """A scan: `voxels` (I, J, K), and the `affine` (4, 4) from voxel indices to mm, RAS+."""

    path: Path
    voxels: Voxels
    affine: np.ndarray

    def to_index(self, points: np.ndarray) -> np.ndarray:
        """The fractional voxel indices of points in mm, RAS+: (..., 3) to (..., 3)."""
        from_origin = points - self.affine[:3, 3]
        return from_origin @ np.linalg.inv(self.affine[:3, :3]).T

    def to_mm(self, indices: np.ndarray) -> np.ndarray:
        """The positions of voxel indices in mm, RAS+: (..., 3) to (..., 3)."""
        return indices @ self.affine[:3, :3].T + self.affine[:3, 3]
