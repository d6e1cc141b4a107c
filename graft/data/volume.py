"""A medical volume, and where it lies in the patient."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
SAME_MM = 1e-2  # two grids whose corners are closer than this, in mm, are the same


@dataclass(frozen=True)
class Volume:
    """A scan: `voxels` (I, J, K) is an array, or reads as one when sliced; `affine` takes indices to mm, RAS+."""

    path: Path
    voxels: np.ndarray
    affine: np.ndarray  # (4, 4)

    def to_index(self, points: np.ndarray) -> np.ndarray:
        """The voxel indices, with their fraction, of points in mm, RAS+: (..., 3) to (..., 3)."""
        return (points - self.affine[:3, 3]) @ np.linalg.inv(self.affine[:3, :3]).T

    def to_mm(self, indices: np.ndarray) -> np.ndarray:
        """Where voxel indices lie in mm, RAS+: (..., 3) to (..., 3)."""
        return indices @ self.affine[:3, :3].T + self.affine[:3, 3]
