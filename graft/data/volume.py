"""A medical volume and its position in the patient."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
SPACING_DECIMALS = 4  # of mm
SAME_GRID_MM = 1e-2  # two grids are the same if their corners are at most this far apart


class Voxels(Protocol):
    """An array, or anything that NumPy reads as one when it is sliced or converted."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The size along each axis."""

    def __getitem__(self, where: Any, /) -> Any: ...


class ScanHeader(NamedTuple):
    """Whose scan a DICOM series is. It must not be shown or written."""

    series_uid: str
    patient_id: str  # "" if there is none


@dataclass(frozen=True)
class Volume:
    """A scan.

    Attributes:
        path: of the file or the folder.
        voxels: (I, J, K).
        affine: (4, 4), from voxel indices to mm, RAS+.
        header: what DICOM says of its origin; None for other formats.
    """

    path: Path
    voxels: Voxels
    affine: np.ndarray
    header: ScanHeader | None = None

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Mm per voxel along the array's axes that are nearest to R, A and S."""
        from nibabel.orientations import io_orientation  # late: it takes a tenth of a second

        nearest = io_orientation(self.affine)[:, 0].argsort()  # of R, A, S
        sides = np.linalg.norm(self.affine[:3, :3], axis=0)[nearest]
        right, anterior, superior = sides.round(SPACING_DECIMALS).tolist()
        return right, anterior, superior

    def to_index(self, points: np.ndarray) -> np.ndarray:
        """The fractional voxel indices of points in mm, RAS+: (..., 3) to (..., 3)."""
        from_origin = points - self.affine[:3, 3]
        return from_origin @ np.linalg.inv(self.affine[:3, :3]).T

    def to_mm(self, indices: np.ndarray) -> np.ndarray:
        """The positions of voxel indices in mm, RAS+: (..., 3) to (..., 3)."""
        return indices @ self.affine[:3, :3].T + self.affine[:3, 3]
