"""The patch of each lesion, cut by the code that preprocessing uses."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from graft.common.files import InputError
from graft.common.parallel import run_parallel
from graft.ingest.arrays import cut_sample, map_images
from graft.ingest.channels import LUMA, with_channels
from graft.ingest.medmnist import read_part_images
from graft.pictures.picture_files import is_picture
from graft.pictures.picture_patches import NamedPicture, cut_picture
from graft.prediction.form import InputForm
from graft.prediction.lesions import Lesion, check_place
from graft.prediction.prediction import Failure
from graft.scans.cut import convert_window, count_above_floor, cut_lesion
from graft.volumes import volume_files

# Starting processes takes seconds, and reading these bytes does too.
MIN_PARALLEL_BYTES = 1 << 26


@dataclass(frozen=True)
class Input:
    """What a model sees of a lesion.

    Attributes:
        lesion: with its position, even if a mask gave it.
        image: (C, *patch) float16 in [0, 1].
        size: of the lesion, in the unit of the model's training; None if it is not known.
        spacing: mm per voxel of the scan along R, A and S; None if it has no spacing.
    """

    lesion: Lesion
    image: np.ndarray
    size: float | None
    spacing: tuple[float, float, float] | None


Group = Sequence[Lesion]  # the lesions of one image
Found = Input | Failure


def cut_inputs(
    form: InputForm, lesions: Sequence[Lesion], show: Callable[[int], object] | None = None
) -> list[Found]:
    """Cut the patches of lesions, in their order.

    Large scans are read in several processes. Each is read once for all its lesions.

    Args:
        form: of the patches.
        lesions: of any number of scans.
        show: is called with the number of each lesion when its scan is finished.
    """
    groups: dict[tuple[Path, str, str], list[int]] = {}
    for number, lesion in enumerate(lesions):
        part = lesion.row.rpartition(":")[0]
        groups.setdefault((lesion.image, lesion.series, part), []).append(number)
    members = list(groups.values())
    cut = run_parallel(
        partial(cut_group, form),
        [[lesions[number] for number in numbers] for numbers in members],
        lambda position: _show_each(show, members[position]),
        sequential=_count_bytes([image for image, _, _ in groups]) < MIN_PARALLEL_BYTES,
    )
    found: dict[int, Found] = {}
    for numbers, results in zip(members, cut, strict=True):
        found.update(zip(numbers, results, strict=True))
    return [found[number] for number in range(len(lesions))]


def _show_each(show: Callable[[int], object] | None, numbers: Sequence[int]) -> None:
    if show is not None:
        for number in numbers:
            show(number)


def cut_group(form: InputForm, lesions: Group) -> list[Found]:
    """Cut the patches of the lesions of one image."""
    first = lesions[0]
    try:
        if first.row:
            return _cut_rows(form, lesions)
        if is_picture(first.image):
            return _cut_each(partial(_cut_picture, form), lesions)
        return _cut_scan(form, lesions)
    except InputError as error:
        return [Failure(lesion, str(error)) for lesion in lesions]
    except MemoryError:
        reason = f"{first.image.name} does not fit in memory, expected a smaller one"
        return [Failure(lesion, reason) for lesion in lesions]


def _cut_each(cut: Callable[[Lesion], Input], lesions: Group) -> list[Found]:
    """Cut lesions one by one. One that cannot be used is a Failure, and the others go on."""
    found: list[Found] = []
    for lesion in lesions:
        try:
            check_place(lesion)
            found.append(cut(lesion))
        except InputError as error:
            found.append(Failure(lesion, str(error)))
    return found


def _count_bytes(images: Sequence[Path]) -> int:
    """The bytes of the scans that can be read; 0 for one scan, which needs no second process."""
    total = 0
    for image in images if len(images) > 1 else ():
        try:
            total += sum(path.stat().st_size for path in volume_files.list_files(image))
        except (InputError, OSError):  # which the reading repeats
            continue
    return total


def _cut_scan(form: InputForm, lesions: Group) -> list[Found]:
    """Cut all lesions of a scan; raises InputError if it cannot be read."""
    if not form.spaced:
        raise InputError(
            f"{lesions[0].image}: is a scan with a spacing in mm, expected a picture or an array, "
            "as the model was trained on images without one"
        )
    volume = volume_files.read_volume(lesions[0].image, lesions[0].series)
    grid = convert_window(form.grid, volume)
    read = lru_cache(1)(volume_files.read_volume)  # a map may have a label for each lesion

    def cut_one(lesion: Lesion) -> Input:
        cut = cut_lesion(volume, lesion.as_row(), grid, read)
        image = _match_channels(form, cut.patch, lesion.image)
        size = _measure_size(form, cut.patch, lesion.diameter_mm or cut.diameter)
        if lesion.position is None:
            x, y, z = cut.centre.tolist()
            lesion = replace(lesion, position=(x, y, z), frame="ras")
        return Input(lesion, image, size, volume.spacing)

    return _cut_each(cut_one, lesions)


def _cut_picture(form: InputForm, lesion: Lesion) -> Input:
    if len(form.grid.patch) != 2:
        raise InputError(
            f"{lesion.image}: is a picture, expected a volume, as the patches of the model are "
            f"{list(form.grid.patch)}"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Pillow about unusual metadata, which is not used
        cut = cut_picture(NamedPicture(lesion.image), form.grid)
    highest = 2**cut.bits - 1
    if form.grid.intensity == "window" and max(form.grid.window) > highest:
        raise InputError(
            f"{lesion.image}: has {cut.bits} bits, expected more, as the window of the model is "
            f"{list(form.grid.window)}"
        )
    image = _match_channels(form, cut.pixels, lesion.image)
    return Input(lesion, image, _measure_size(form, cut.pixels, lesion.diameter_mm), None)


def _cut_rows(form: InputForm, lesions: Group) -> list[Found]:
    """Cut rows of an array; raises InputError if it cannot be read."""
    path = lesions[0].image
    part = lesions[0].row.rpartition(":")[0]
    dimensions = len(form.grid.patch)
    images = read_part_images(path, part, dimensions) if part else map_images(path, dimensions)

    def cut_one(lesion: Lesion) -> Input:
        image = images[int(lesion.row.rpartition(":")[2])]
        patch, above_floor = cut_sample(image, form.grid, lesion.name)
        patch = _match_channels(form, patch, lesion.image)
        size = lesion.diameter_mm if form.size_is_diameter else float(above_floor)
        return Input(lesion, patch, size, None)

    return _cut_each(cut_one, lesions)


def _match_channels(form: InputForm, image: np.ndarray, path: Path) -> np.ndarray:
    """The image (C, *patch) with the channels of the model, and the intensities that it expects."""
    if image.shape[0] != form.channels and not {image.shape[0], form.channels} <= {1, len(LUMA)}:
        raise InputError(
            f"{path}: has {image.shape[0]} channels, expected {form.channels}, as the images that "
            "the model was trained on"
        )
    matched = with_channels(image[None], form.channels)[0]
    return matched if form.intensity is None else form.intensity.apply(matched)


def _measure_size(form: InputForm, patch: np.ndarray, diameter: float | None) -> float | None:
    """The size of a lesion, as preprocessing measures it."""
    if form.size_is_diameter:
        return None if diameter is None else float(np.round(diameter, 2))
    return float(count_above_floor(patch[None])[0])
