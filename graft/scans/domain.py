"""All scans of a domain: cut in parallel, remembered in a cache, and written in one order."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from graft.common.files import InputError, whole_file
from graft.common.parallel import run_parallel
from graft.console import countdown, say
from graft.data.arrays import load_array, save_rows
from graft.data.domain import IMAGES, MASKS
from graft.scans.cache import (
    Entry,
    LesionFacts,
    prune,
    read_entry,
    read_known_files,
    write_known_files,
)
from graft.scans.cut import CutScan, Fault, Recipe, cut_scan, find_cut_scan
from graft.scans.files import FileState, list_scan_files, measure_files
from graft.scans.identity import Scan, check_scans
from graft.scans.lesion import LesionRow

BAD_SCANS = "bad_scans.csv"
MAX_LISTED = 5  # faults in a message
OPEN_ENTRIES = 8  # in memory while patches are written
# Starting processes takes a second, and reading these bytes does too.
MIN_PARALLEL_BYTES = 1 << 26

Group = Sequence[LesionRow]  # the lesions of one scan


@dataclass(frozen=True)
class CutDomain:
    """The patches of N lesions, in the order of their rows.

    Attributes:
        images: (N, C, *patch) float16, memory-mapped.
        masks: (N, *patch) uint8, memory-mapped, 0 for a lesion without a mask; None if no lesion
            has one.
        lesions: what is known of each.
    """

    images: np.ndarray
    masks: np.ndarray | None
    lesions: list[LesionFacts]


def cut_domain(
    name: str, table: Path, lesions: list[LesionRow], recipe: Recipe, folder: Path
) -> CutDomain:
    """Cut a patch for each lesion, and write images.npy, and masks.npy if there are masks.

    Several scans are read at a time, each once for all its lesions. Scans that are in the cache are
    not read. The bytes do not depend on what was in the cache or on the number of processes.

    Args:
        name: of the domain.
        table: its manifest.
        lesions: the rows of the manifest.
        recipe: how they are cut.
        folder: where the arrays are written.

    Raises:
        InputError: with the rows of all scans that cannot be used, or if two patients share one.
    """
    groups = _group_by_scan(lesions)
    cut = _cut_groups(name, table, groups, recipe)
    places: dict[int, tuple[str, int]] = {}  # of a line: the entry, and the number in it
    facts: dict[int, LesionFacts] = {}
    scans: dict[int, Scan] = {}
    for group, one in zip(groups, cut, strict=True):
        for number, lesion in enumerate(group):
            places[lesion.line] = one.entry, number
            facts[lesion.line] = one.lesions[number]
            scans[lesion.line] = one.scan
    lines = [lesion.line for lesion in lesions]
    check_scans(table, lesions, [scans[line] for line in lines])
    in_order = [places[line] for line in lines]
    known = [facts[line] for line in lines]
    images, masks = _write_arrays(recipe, in_order, known, folder)
    prune(recipe.cache, [one.entry for one in cut])
    return CutDomain(images, masks, known)


def _group_by_scan(lesions: Iterable[LesionRow]) -> list[Group]:
    by_scan: dict[tuple[Path, str], list[LesionRow]] = {}
    for lesion in lesions:
        by_scan.setdefault((lesion.image, lesion.series), []).append(lesion)
    return list(by_scan.values())


def _cut_groups(name: str, table: Path, groups: list[Group], recipe: Recipe) -> list[CutScan]:
    """The scan of each group, from the cache or from its files."""
    recipe.cache.mkdir(parents=True, exist_ok=True)
    known = read_known_files(recipe.cache)
    found: list[CutScan | list[Fault] | None] = []
    size = 0  # bytes to read
    for group in groups:
        state = _look_at(group, recipe)
        content = known.get(state.name) if state else None
        cut = find_cut_scan(recipe, group, state.name, content) if state and content else None
        found.append(cut)
        size += state.size if state and not cut else 0
    missing = [number for number, cut in enumerate(found) if cut is None]
    if len(missing) < len(groups):
        say(f"{name}: {len(groups) - len(missing)} of {len(groups)} scans were read before")
    with countdown(name, len(missing), "scan") as show:
        results = run_parallel(
            partial(cut_scan, recipe),
            [groups[number] for number in missing],
            show,
            sequential=size < MIN_PARALLEL_BYTES,
        )
    for number, result in zip(missing, results, strict=True):
        found[number] = result
    cut_scans = [one for one in found if isinstance(one, CutScan)]
    write_known_files(recipe.cache, {one.state: one.content for one in cut_scans if one.state})
    faults = [fault for one in found if isinstance(one, list) for fault in one]
    _report_faults(table, faults, len(groups) - len(cut_scans), len(groups), recipe.cache)
    return cut_scans


def _look_at(group: Group, recipe: Recipe) -> FileState | None:
    try:
        return measure_files(list_scan_files(group), recipe.secret)
    except InputError:  # which the reading repeats
        return None


def _report_faults(table: Path, faults: list[Fault], bad: int, total: int, folder: Path) -> None:
    """Raise InputError with all rows that cannot be used; the table of many is in the folder."""
    listing = folder / BAD_SCANS
    listing.unlink(missing_ok=True)
    if not faults:
        return
    faults = sorted(faults, key=lambda fault: fault.lines)
    if len(faults) == 1:
        [fault] = faults
        also = f" (so do lines {_join(fault.lines[1:])})" if len(fault.lines) > 1 else ""
        raise InputError(f"{table}:{fault.lines[0]}: {fault.reason}{also}")
    listed = [f"line {_join(fault.lines)}: {fault.reason}" for fault in faults[:MAX_LISTED]]
    if len(faults) > MAX_LISTED:
        with whole_file(listing) as partial_file, partial_file.open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("lines", "reason"))
            writer.writerows((_join(fault.lines), fault.reason) for fault in faults)
        listed.append(f"and {len(faults) - MAX_LISTED} more, all in {listing}")
    raise InputError(
        f"{table}: {bad} of {total} scans cannot be used, the others are kept: {'; '.join(listed)}"
    )


def _join(lines: Iterable[int]) -> str:
    return ", ".join(map(str, lines))


def _write_arrays(
    recipe: Recipe,
    places: list[tuple[str, int]],
    facts: list[LesionFacts],
    folder: Path,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Copy the patches and masks from the cache into images.npy and masks.npy, one at a time."""

    @lru_cache(OPEN_ENTRIES)
    def open_entry(name: str) -> Entry:
        entry = read_entry(recipe.cache / name)
        if entry is None:
            raise InputError(
                f"{recipe.cache / name}: was deleted while it was needed, expected one run of this "
                "stage at a time; run it again"
            )
        return entry

    def iterate_images() -> Iterator[np.ndarray]:
        for name, number in places:
            yield open_entry(name).patches[number]

    def iterate_masks() -> Iterator[np.ndarray]:
        empty = np.zeros(recipe.grid.patch, np.uint8)
        for (name, number), fact in zip(places, facts, strict=True):
            masks = open_entry(name).masks if fact.has_mask else None
            yield empty if masks is None else masks[number]

    name, _ = places[0]
    shape = (len(places), *open_entry(name).patches.shape[1:])
    save_rows(folder / IMAGES, iterate_images(), shape, np.float16)
    images = load_array(folder / IMAGES)
    if not any(fact.has_mask for fact in facts):
        return images, None
    save_rows(folder / MASKS, iterate_masks(), (len(places), *recipe.grid.patch), np.uint8)
    return images, load_array(folder / MASKS)
