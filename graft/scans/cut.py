"""What a worker does with one scan: read it once, and cut a patch at each of its lesions."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from graft.common.files import InputError
from graft.duplicates.fingerprints import fingerprint_images
from graft.grids.grid import Grid
from graft.grids.intensity import raw_window
from graft.grids.volume import LPS_TO_RAS, Volume
from graft.scans.cache import Entry, LesionFacts, entry_name, read_entry, write_entry
from graft.scans.files import digest_files, list_scan_files, measure_files
from graft.scans.identity import Scan
from graft.scans.keyed import keyed_digest
from graft.scans.lesion import LesionRow
from graft.volumes import volume_files


@dataclass(frozen=True)
class Recipe:
    """How all scans of a domain are cut.

    Attributes:
        grid: of the patches.
        channels: of the images, which are equal.
        burned_in: whether DICOM images that may show a name in their pixels are read too.
        secret: the key of the digests that tell people and files apart.
        code: a digest of the code and the libraries.
        cache: the folder of what is cut already.
    """

    grid: Grid
    channels: int
    burned_in: bool
    secret: str
    code: str
    cache: Path

    def key(self) -> dict[str, object]:
        """What decides a patch beside its scan, as plain JSON values."""
        key = keyed_digest("recipe", self.secret)
        return asdict(replace(self, secret=key)) | {"cache": ""}


@dataclass(frozen=True)
class CutScan:
    """A scan whose patches are in the cache.

    Attributes:
        entry: the name of its entry.
        state: a name for the state of its files; "" if they may still change.
        content: a digest of their content.
        scan: which scan it is.
        lesions: what is known of each of its lesions.
    """

    entry: str
    state: str
    content: str
    scan: Scan
    lesions: list[LesionFacts]


@dataclass(frozen=True)
class CutLesion:
    """What is cut at a lesion.

    Attributes:
        centre: (3,) of the lesion in mm, RAS+.
        patch: (1, *patch) float16.
        mask: (*patch) uint8; None without a mask.
        diameter: in mm, of the mask; None without one.
    """

    centre: np.ndarray
    patch: np.ndarray
    mask: np.ndarray | None
    diameter: float | None


@dataclass(frozen=True)
class Fault:
    """Why some rows of a manifest cannot be used."""

    lines: list[int]
    reason: str


def find_cut_scan(
    recipe: Recipe, lesions: Sequence[LesionRow], state: str, content: str
) -> CutScan | None:
    """The scan of some lesions if the cache has it."""
    name = entry_name(content, lesions, recipe.key())
    entry = read_entry(recipe.cache / name)
    if entry is None:
        return None
    return CutScan(name, state, content, entry.scan, entry.lesions)


def cut_scan(recipe: Recipe, lesions: Sequence[LesionRow]) -> CutScan | list[Fault]:
    """Cut the patches of the lesions of one scan, unless the cache has them already."""
    lines = [lesion.line for lesion in lesions]
    try:
        files = list_scan_files(lesions)
        before = measure_files(files, recipe.secret)
        state = before.name if before.is_settled else ""
        content = digest_files(files)
        found = find_cut_scan(recipe, lesions, state, content)
        if found is not None:
            return found
        cut = _cut_lesions(recipe, lesions)
        if measure_files(files, recipe.secret).name != before.name:
            raise InputError(f"{lesions[0].image}: changed while it was read, expected no change")
    except InputError as error:
        return [Fault(lines, str(error))]
    except MemoryError:
        name = lesions[0].image.name
        return [Fault(lines, f"{name} does not fit in memory, expected a smaller volume")]
    if isinstance(cut, list):
        return cut
    name = entry_name(content, lesions, recipe.key())
    write_entry(recipe.cache / name, cut)
    return CutScan(name, state, content, cut.scan, cut.lesions)


def _cut_lesions(recipe: Recipe, lesions: Sequence[LesionRow]) -> Entry | list[Fault]:
    """Read the scan; raises InputError if that fails, and returns the faults of its lesions."""
    volume = volume_files.read_volume(lesions[0].image, lesions[0].series, recipe.burned_in)
    grid = convert_window(recipe.grid, volume)
    patches = np.empty((len(lesions), 1, *grid.patch), np.float16)
    masks = np.zeros((len(lesions), *grid.patch), np.uint8)
    diameters: list[float | None] = []
    faults = []
    read = lru_cache(1)(volume_files.read_volume)  # a map may have a label for each lesion
    for number, lesion in enumerate(lesions):
        try:
            cut = cut_lesion(volume, lesion, grid, read)
            patches[number] = cut.patch
            if cut.mask is not None:
                masks[number] = cut.mask
            diameters.append(cut.diameter)
        except InputError as error:
            faults.append(Fault([lesion.line], str(error)))
    if faults:
        return faults
    images = np.repeat(patches, recipe.channels, axis=1)
    has_mask = [lesion.mask is not None for lesion in lesions]
    above_floor, fingerprints = count_above_floor(images), fingerprint_images(images)
    spacings = [volume.spacing] * len(lesions)
    facts = zip(diameters, above_floor, fingerprints, has_mask, spacings, strict=True)
    return Entry(
        scan=Scan.of(volume, recipe.secret),
        lesions=[LesionFacts(*fact) for fact in facts],
        patches=images,
        masks=masks if any(has_mask) else None,
    )


def cut_lesion(
    volume: Volume, lesion: LesionRow, grid: Grid, read: Callable[[Path], Volume]
) -> CutLesion:
    """Cut the patch of a lesion, and that of its mask if it has one.

    Args:
        volume: the scan.
        lesion: a lesion of it.
        grid: of the patch, with its window in raw intensities, as `convert_window` returns it.
        read: reads a label map.

    Raises:
        InputError: if the mask cannot be used, or if the lesion lies outside the scan or its patch
            shows nothing.
    """
    from graft.scans.patches import (  # late: where all is cached it is not needed
        cut_mask,
        cut_patch,
    )

    centre, mask, diameter = _find_lesion(volume, lesion, read)
    patch = cut_patch(volume, centre, grid).astype(np.float16)
    return CutLesion(
        centre=centre,
        patch=patch,
        mask=None if mask is None else cut_mask(mask, centre, grid),
        diameter=diameter,
    )


def count_above_floor(images: np.ndarray) -> list[int]:
    """The voxels of each image (N, C, *spatial) that are above 0 in a channel."""
    return [int((image > 0).any(0).sum()) for image in images]


def convert_window(grid: Grid, volume: Volume) -> Grid:
    """The grid with its window in the raw intensities of one volume."""
    try:
        window = raw_window(grid.window, grid.intensity, volume.voxels)
    except InputError as error:
        raise InputError(f"{volume.path.name}: {error}") from error
    return replace(grid, window=window)


def _find_lesion(
    volume: Volume, lesion: LesionRow, read: Callable[[Path], Volume]
) -> tuple[np.ndarray, Volume | None, float | None]:
    """The position (3,) of a lesion in mm, RAS+, its mask, and the diameter in mm of the mask."""
    if lesion.mask is None:
        return position_in_mm(volume, lesion), None, None
    mask = volume_files.read_mask(lesion.mask, volume, lesion.segment, read)
    centre, diameter = volume_files.locate_lesion(mask, volume)
    if lesion.position is not None:
        centre = position_in_mm(volume, lesion)
    return centre, mask, diameter


def position_in_mm(volume: Volume, lesion: LesionRow) -> np.ndarray:
    """The position (3,) that a row gives, in mm, RAS+."""
    position = np.array(lesion.position)
    if lesion.frame == "voxel":
        return volume.to_mm(position)
    return LPS_TO_RAS[:3, :3] @ position if lesion.frame == "lps" else position
