"""Saliency maps on the grid of the scan, so that they overlay it in a viewer."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from graft.common.files import InputError
from graft.common.shown import shown
from graft.explain.saliency import METHODS, SaliencyMaps
from graft.grids.volume import Volume
from graft.networks.saved import Model
from graft.prediction.cut import Input
from graft.prediction.form import InputForm
from graft.scans.cut import position_in_mm
from graft.scans.patches import PatchGrid, patch_grid
from graft.volumes.volume_files import read_volume

DEFAULT_METHOD = "occlusion"


@dataclass(frozen=True)
class ScanMap:
    """A saliency map on the grid of a scan.

    Attributes:
        values: (I, J, K) float32, above 0 where a voxel is evidence for the last class, and below 0
            where it is evidence against it; 0 outside of the patch.
        affine: (4, 4), from voxel indices to mm, RAS+, as that of the scan.
    """

    values: np.ndarray
    affine: np.ndarray

    def write(self, path: Path) -> None:
        """Write the map as NIfTI, `.nii` or `.nii.gz`."""
        import nibabel

        image = nibabel.Nifti1Image(self.values, self.affine)
        image.header.set_xyzt_units("mm")
        nibabel.save(image, path)


def explain_patch(
    model: Model, image: np.ndarray, covariates: pd.DataFrame, method: str
) -> SaliencyMaps:
    """Make the map of a patch (C, *patch): maps of one patch.

    Raises:
        InputError: if there is no such method.
    """
    if method not in METHODS:
        raise InputError(f"method: got {shown(method)}, expected {', '.join(METHODS)}")
    return METHODS[method].make_maps(model, image[None].astype(np.float32), covariates)


def explain_input(
    model: Model, form: InputForm, found: Input, covariates: pd.DataFrame, method: str
) -> ScanMap:
    """Make the map of an input, on the grid of its scan.

    Raises:
        InputError: if the input is a picture or a row of an array, which have no grid in mm.
    """
    lesion = found.lesion
    if lesion.position is None:
        raise InputError(f"{lesion.name}: has no grid in mm, expected a scan")
    maps = explain_patch(model, found.image, covariates, method)
    values = (maps.values if maps.one_sided else maps.signed)[0]  # (*patch)
    volume = read_volume(lesion.image, lesion.series)
    target = patch_grid(volume, position_in_mm(volume, lesion.as_row()), form.grid)
    return ScanMap(put_on_scan(values, target, volume), volume.affine)


def put_on_scan(values: np.ndarray, target: PatchGrid, volume: Volume) -> np.ndarray:
    """Interpolate the values (*patch) of a patch linearly on the grid of a scan: float32.

    Voxels of the scan whose middle lies outside of the patch are 0. A patch of two dimensions is as
    thick as the voxels of the scan, so that it meets one of them.
    """
    from scipy.ndimage import map_coordinates  # late: it takes a tenth of a second

    if values.ndim == 2:
        target = _as_thick_as_a_voxel(target, volume)
    size = target.size
    placed = np.zeros(volume.voxels.shape, np.float32)
    ends = np.stack(np.meshgrid(*[(-0.5, side - 0.5) for side in size]), -1).reshape(-1, 3)
    corners = volume.to_index(target.to_mm(ends))  # (8, 3)
    start = np.maximum(np.floor(corners.min(0)), 0).astype(int)
    stop = np.minimum(np.ceil(corners.max(0)) + 1, placed.shape).astype(int)
    indices = np.indices(tuple(stop - start)).reshape(3, -1).T + start  # (voxels, 3)
    from_origin = volume.to_mm(indices) - target.affine[:3, 3]
    places = from_origin @ np.linalg.inv(target.affine[:3, :3]).T  # in voxels of the patch
    is_inside = ((places >= -0.5) & (places < size - 0.5)).all(1)
    found = map_coordinates(values.reshape(size), places[is_inside].T, order=1, mode="nearest")
    placed[tuple(indices[is_inside].T)] = found
    return placed


def _as_thick_as_a_voxel(target: PatchGrid, volume: Volume) -> PatchGrid:
    """The grid of a plane, along S as thick as a voxel of the scan."""
    affine = target.affine.copy()
    affine[2, 2] = np.abs(volume.affine[2, :3]).sum()
    return replace(target, affine=affine)
