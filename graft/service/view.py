"""What the page shows: a scan in 8 bits, upright, and thinned out if it is large."""

import gzip
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
from nibabel import orientations

from graft.grids.intensity import raw_window
from graft.grids.volume import Volume
from graft.pictures.picture_files import read_picture

FULL_RANGE = (0.5, 99.5)  # percentiles of the foreground
COMPRESSION = 1  # of gzip: fast
MIDDLE = 128  # of a map
COLOUR = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])  # of NIfTI


@dataclass(frozen=True)
class View:
    """How voxels (I, J, K) of a scan become those that are shown.

    Attributes:
        steps: of the voxels along each axis, one is shown.
        turns: (3, 2), as in nibabel: to which axis each one goes, and whether it is reversed.
        affine: (4, 4) of what is shown, to mm, RAS+.
    """

    steps: tuple[int, int, int]
    turns: np.ndarray
    affine: np.ndarray

    @classmethod
    def of(cls, size: tuple[int, ...], affine: np.ndarray, most: int) -> "View":
        """The view of a scan with axes near R, A and S, of at most this many voxels."""
        shape = np.array(size)
        sides = np.linalg.norm(affine[:3, :3], axis=0)  # mm
        steps = np.ones(3, int)
        while np.ceil(shape / steps).prod() > most:
            steps[np.argmin(np.where(steps < shape, sides * steps, np.inf))] += 1
        affine = affine @ np.diag([*steps, 1.0])
        turns = orientations.io_orientation(affine)
        shown_shape = tuple(np.ceil(shape / steps).astype(int))
        affine = affine @ orientations.inv_ornt_aff(turns, shown_shape)
        i, j, k = steps.tolist()
        return cls((i, j, k), turns, affine)

    def turn(self, thinned: np.ndarray) -> np.ndarray:
        """Turn voxels that have been thinned out."""
        return orientations.apply_orientation(thinned, self.turns)

    def apply(self, voxels: np.ndarray) -> np.ndarray:
        """Thin out and turn an array on the grid of the scan."""
        i, j, k = self.steps
        return self.turn(voxels[::i, ::j, ::k])


def show_volume(volume: Volume, ends: tuple[float, float], most: int) -> bytes:
    """A scan as a NIfTI file of 8 bits, compressed: black at the lower end, white at the higher."""
    view = View.of(volume.voxels.shape, volume.affine, most)
    i, j, k = view.steps
    low, high = sorted(ends)
    planes = []
    for number in range(0, volume.voxels.shape[2], k):  # one at a time: as float it is large
        plane = np.asarray(volume.voxels[::i, ::j, number], np.float32)
        planes.append(_to_bytes((plane - low) / (high - low)))
    return write_nifti(view.turn(np.stack(planes, axis=-1)), view.affine)


def show_map(values: np.ndarray, affine: np.ndarray, most: int) -> bytes:
    """A map (I, J, K) on the grid of a scan, on that of `show_volume`.

    128 is 0; the value that is furthest from 0 becomes 1 or 255.
    """
    view = View.of(values.shape, affine, most)
    highest = max(float(np.abs(values).max()), np.finfo(np.float32).tiny)
    shares = view.apply(values) / highest  # [-1, 1]
    return write_nifti((MIDDLE + shares * (MIDDLE - 1)).round().astype(np.uint8), view.affine)


def show_picture(path: Path) -> bytes:
    """A picture as a NIfTI file of one slice, grey or in colour; its first row has the highest j.

    A voxel is a pixel, and its position is no position in a patient.
    """
    pixels = read_picture(path)  # (rows, columns, 1 or 3)
    if pixels.dtype == np.uint16:
        pixels = _to_bytes(pixels / max(int(pixels.max()), 1))
    upright = np.ascontiguousarray(pixels[::-1].transpose(1, 0, 2))  # (columns, rows, C)
    if upright.shape[2] == 3:
        upright = upright.view(COLOUR)
    return write_nifti(upright, np.eye(4))


def find_window(volume: Volume, window: tuple[float, float], intensity: str) -> tuple[float, float]:
    """The raw intensities that become black and white, lower first."""
    low, high = raw_window(window, intensity, volume.voxels)
    return min(low, high), max(low, high)


def write_nifti(voxels: np.ndarray, affine: np.ndarray) -> bytes:
    """A compressed NIfTI-1 file."""
    image = nibabel.Nifti1Image(voxels, affine)
    return gzip.compress(image.to_bytes(), COMPRESSION, mtime=0)


def _to_bytes(fraction: np.ndarray) -> np.ndarray:
    """[0, 1] as 0 to 255; NaN becomes 0."""
    return np.nan_to_num(fraction * 255).clip(0, 255).round().astype(np.uint8)
