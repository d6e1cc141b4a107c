"""The rows of a `manifest.csv`: each one is checked by itself and against the others."""

import math
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from graft.common.files import InputError
from graft.common.names import check_label
from graft.common.vocabulary import PARTS
from graft.ingest.tables import iterate_rows
from graft.pictures.picture_files import is_picture
from graft.scans.lesion import MANIFEST, LesionRow

REQUIRED = ("patient", "image", "label")
REQUIRED_TO_PREDICT = ("image",)
POSITION = ("x", "y", "z")
FRAMES = ("ras", "lps", "voxel")
MAX_NUMBER = 1e6  # mm or voxels, far beyond any scanner


def read_lesion_rows(folder: Path, classes: list[str]) -> list[LesionRow]:
    """Read the lesions that the manifest in `folder` lists, in its order.

    Raises InputError with the row and the column of what is missing, empty, unknown or repeated.
    """
    path = folder / MANIFEST
    lesions = []
    for line, cells in iterate_cells(path):
        try:
            lesions.append(_read_lesion(folder, line, cells, classes))
        except InputError as error:
            raise InputError(f"{path}:{line}: {error}") from error
    if not lesions:
        raise InputError(f"{path}: has no rows, expected one per lesion")
    _check_owners(path, lesions)
    _check_repeats(path, lesions)
    return lesions


def read_unlabelled_row(folder: Path, line: int, cells: dict[str, str]) -> LesionRow:
    """Read a row of a manifest to predict with: the columns patient, label, site, split are not.

    Raises InputError with the column of what is missing, empty or unknown.
    """
    known = {name: cell for name, cell in cells.items() if name not in ("site", "split")}
    return _read_lesion(folder, line, known, classes=None)


def iterate_cells(
    path: Path, required: Sequence[str] = REQUIRED
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the line number and the cells of each row of a manifest, without surrounding blanks.

    Raises InputError if the file is no table, a column is missing, or a row has too few cells.
    """
    for line, cells in iterate_rows(path, partial(_check_columns, required)):
        if any(cells.values()):
            yield line, cells


def _check_columns(required: Sequence[str], path: Path, columns: Sequence[str]) -> None:
    expected = list(required)
    if "mask" not in columns and any(name in columns for name in POSITION):
        expected += POSITION
    missing = [name for name in expected if name not in columns]
    if missing:
        raise InputError(
            f"{path}: has no column {', '.join(missing)}, expected {', '.join(required)} and, "
            f"for volumes, x, y, z or mask (found {', '.join(columns) or 'none'})"
        )


def _read_lesion(
    folder: Path, line: int, cells: dict[str, str], classes: list[str] | None
) -> LesionRow:
    """Read a row; without classes it has neither a label nor a patient."""
    for name in REQUIRED if classes else REQUIRED_TO_PREDICT:
        if not cells[name]:
            raise InputError(f"{name} is empty, expected text")
    mask = _file_inside(folder, "mask", cells["mask"]) if cells.get("mask") else None
    position = _read_position(cells)
    image = _file_inside(folder, "image", cells["image"])
    has_position = mask is not None or position is not None
    if has_position and is_picture(image):
        raise InputError("gives a position in a picture, expected x, y, z and mask to be empty")
    if not has_position and not is_picture(image):
        raise InputError("gives no position, expected x, y and z, or mask")
    return LesionRow(
        line=line,
        patient=cells["patient"] if classes else "",
        image=image,
        label=_one_of("label", cells["label"], classes) if classes else "",
        position=position,
        frame=_one_of("frame", cells.get("frame", "").lower() or "ras", FRAMES),
        mask=mask,
        diameter_mm=_read_diameter(cells, mask),
        site=check_label("site", cells["site"]) if cells.get("site") else "",
        split=_one_of("split", cells.get("split", "").lower(), ("", *PARTS)),
        series=cells.get("series", ""),
        segment=cells.get("segment", ""),
    )


def _read_position(cells: dict[str, str]) -> tuple[float, ...] | None:
    given = {name: cells.get(name, "") for name in POSITION}
    if not any(given.values()):
        return None
    return tuple(_read_number(name, cell) for name, cell in given.items())


def _read_diameter(cells: dict[str, str], mask: Path | None) -> float | None:
    if "diameter_mm" not in cells or (mask and not cells["diameter_mm"]):
        return None
    diameter = _read_number("diameter_mm", cells["diameter_mm"])
    if diameter <= 0:
        raise InputError(f"diameter_mm is {diameter:g}, expected more than 0")
    return diameter


def _read_number(name: str, cell: str) -> float:
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if not abs(number) <= MAX_NUMBER:  # true for NaN too
        found = repr(cell) if cell else "empty"
        raise InputError(f"{name} is {found}, expected a number, at most {MAX_NUMBER:g} either way")
    return number


def _one_of(name: str, cell: str, known: Sequence[str]) -> str:
    if cell not in known:
        listed = ", ".join(filter(None, known))
        raise InputError(f"{name} is {cell!r}, expected one of {listed}")
    return cell


def _file_inside(folder: Path, name: str, cell: str) -> Path:
    """The file that a cell names; raises InputError if it, or what it links to, is outside."""
    path = folder / cell
    try:
        is_inside = path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError) as error:  # circular links, impossible characters
        raise InputError(f"{name} is {cell!r}, expected a file ({error})") from error
    if Path(cell).is_absolute() or not is_inside:
        raise InputError(
            f"{name} is {cell!r}, which leaves the folder, expected a file inside {folder}"
        )
    return path


def _check_owners(path: Path, lesions: list[LesionRow]) -> None:
    """Raise InputError if two patients share an image, or a folder around it."""
    owners: dict[Path, LesionRow] = {}
    for lesion in lesions:
        owners.setdefault(lesion.image.resolve(), lesion)
    for lesion in lesions:
        image = lesion.image.resolve()
        for place in (image, *image.parents):  # a series may lie in the folder of another row
            owner = owners.get(place, lesion)
            if owner.patient != lesion.patient:
                first, second = sorted((lesion.line, owner.line))
                raise InputError(
                    f"{path}:{second}: {lesion.image.name} belongs to another patient on line "
                    f"{first}, expected one patient per image"
                )


def _check_repeats(path: Path, lesions: list[LesionRow]) -> None:
    lines: dict[tuple, int] = {}
    for lesion in lesions:
        position = lesion.position or (lesion.mask, lesion.segment)
        place = (lesion.image.resolve(), lesion.series, position, lesion.frame)
        before = lines.setdefault(place, lesion.line)
        if before != lesion.line:
            raise InputError(
                f"{path}:{lesion.line}: repeats the lesion of line {before}, "
                "expected each lesion once"
            )
