"""Raw data as `manifest.csv` with one row per lesion, and volumes or pictures beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from graft.console import say
from graft.data.domain import Domain
from graft.grids.grid import Grid
from graft.ingest.channels import LUMA
from graft.ingest.rows import MANIFEST, LesionRow, read_lesion_rows
from graft.keys.pseudonyms import PUBLISHED_KEY
from graft.pictures.picture_files import is_picture
from graft.pictures.picture_patches import NamedPicture, cut_pictures
from graft.scans.cache import digest_code
from graft.scans.cut import Recipe, count_above_floor
from graft.scans.domain import CutDomain, cut_domain


@dataclass(frozen=True)
class Storage:
    """Where the patches of volumes go.

    Attributes:
        cache: a folder that outlives the run, with what was cut from each scan.
        arrays: a folder that receives images.npy and masks.npy.
    """

    cache: Path
    arrays: Path


@dataclass(frozen=True)
class VolumeOptions:
    """How volumes are read.

    Attributes:
        burned_in: whether DICOM images that may show a name in their pixels are read too.
        channels: of the images, as in `convert_channels`.
        secret: the key of the digests that tell people and files apart.
        storage: where the patches go; None to keep them in memory only.
    """

    burned_in: bool = False
    channels: str = "auto"
    secret: str = PUBLISHED_KEY
    storage: Storage | None = None


IN_MEMORY = VolumeOptions()


def read_manifest(
    path: Path, name: str, classes: list[str], grid: Grid, options: VolumeOptions = IN_MEMORY
) -> Domain:
    """Cut a patch for each row of `manifest.csv`, in its order.

    A picture is one lesion, and has no spacing. A volume is read once for all its lesions, and
    several volumes are read at a time. `size` is the diameter in mm that the rows or their masks
    give, or the number of voxels in the patch above the window's floor if one of them gives none.

    Args:
        path: The folder of the manifest.
        name: The name of the domain.
        classes: The labels that a row may have.
        grid: The patch, its spacing and its window.
        options: How volumes are read.

    Raises:
        InputError: With the rows that cannot be used, or whose image or mask cannot.
    """
    lesions = read_lesion_rows(path, classes)
    diameters = [lesion.diameter_mm for lesion in lesions]
    if is_picture(lesions[0].image):
        images = cut_pictures(name, _name_pictures(path, lesions), grid)
        index = _make_index(lesions)
        index["size"], measured = _measure_size(diameters, count_above_floor(images))
        return Domain(name, images, index, classes, grid.about(measured, spaced=False))
    cut = _cut_volumes(path, name, lesions, grid, options)
    pairs = zip(diameters, cut.lesions, strict=True)
    diameters = [diameter or lesion.diameter for diameter, lesion in pairs]
    above_floor = [lesion.above_floor for lesion in cut.lesions]
    index = _make_index(lesions)
    index["size"], measured = _measure_size(diameters, above_floor)
    index["hash"] = [lesion.fingerprint for lesion in cut.lesions]
    about = grid.about(measured, spaced=True)
    spacings = np.array([lesion.spacing for lesion in cut.lesions])
    return Domain(name, cut.images, index, classes, about, masks=cut.masks, spacings=spacings)


def _name_pictures(path: Path, lesions: list[LesionRow]) -> list[NamedPicture]:
    table = path / MANIFEST
    return [NamedPicture(lesion.image, f"{table}:{lesion.line}: ") for lesion in lesions]


def _make_index(lesions: Sequence[LesionRow]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "sample": range(len(lesions)),
            "patient": [lesion.patient for lesion in lesions],
            "label": [lesion.label for lesion in lesions],
            "site": [lesion.site for lesion in lesions],
            "split": [lesion.split for lesion in lesions],
            "origin": [lesion.origin for lesion in lesions],
        }
    )


def _measure_size(
    diameters: Sequence[float | None], above_floor: Sequence[int]
) -> tuple[np.ndarray, str]:
    """The size (N,) of each lesion, and what it measures."""
    if all(diameters):
        return np.round(np.array(diameters, float), 2), "diameter in mm"
    return np.array(above_floor, float), "voxels of the patch above the window's floor"


def _cut_volumes(
    path: Path, name: str, lesions: list[LesionRow], grid: Grid, options: VolumeOptions
) -> CutDomain:
    """Cut the patches, in memory if the options name no storage."""
    table = path / MANIFEST
    code = digest_code()
    channels = len(LUMA) if options.channels == "rgb" else 1
    if channels > 1:
        say(f"{name}: 1 channels became rgb, as domains.{name}.channels says")

    def cut(storage: Storage) -> CutDomain:
        cache = storage.cache.absolute()
        recipe = Recipe(grid, channels, options.burned_in, options.secret, code, cache)
        return cut_domain(name, table, lesions, recipe, storage.arrays)

    if options.storage is not None:
        return cut(options.storage)
    with TemporaryDirectory(prefix="graft-") as folder:
        found = cut(Storage(Path(folder) / "cache", Path(folder)))
        masks = None if found.masks is None else np.array(found.masks)
        return CutDomain(np.array(found.images), masks, found.lesions)
