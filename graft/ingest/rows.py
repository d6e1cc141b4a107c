"""The rows of a `manifest.csv`, each checked by itself and against the others."""

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from graft.common.files import InputError
from graft.common.vocabulary import PARTS
from graft.ingest.pictures import is_picture

FILE = "manifest.csv"
REQUIRED = ("patient", "image", "label")
POSITION = ("x", "y", "z")
FRAMES = ("ras", "lps", "voxel")


@dataclass(frozen=True)
class Lesion:
    """A row: `position` in mm along the axes of `frame`, or as a voxel index (i, j, k) from 0; None in pictures."""

    line: int
    patient: str
    image: Path
    label: str
    position: tuple[float, ...] | None
    frame: str
    mask: Path | None
    diameter_mm: float | None
    site: str
    split: str
    series: str  # of DICOM: the number or the UID of the one that is meant
    segment: int | None  # of a DICOM SEG

    @property
    def origin(self) -> str:
        return f"{FILE}:{self.line}"


def read_rows(folder: Path, classes: list[str]) -> list[Lesion]:
    """The lesions that the manifest in `folder` lists, in its order.

    Raises InputError with the row and the column of what is missing, empty, unknown or said twice.
    """
    path = folder / FILE
    lesions = []
    for line, row in lines(path):
        try:
            lesions.append(_lesion(folder, line, row, classes))
        except InputError as error:
            raise InputError(f"{path}:{line}: {error}") from error
    if not lesions:
        raise InputError(f"{path}: has no rows, expected one a lesion")
    _check_together(path, lesions)
    return lesions


def lines(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Line numbers and cells without the blanks around them; raises InputError where a column is missing."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.reader(file)
            columns = [name.strip() for name in next(table, [])]
            _check_columns(path, columns)
            for cells in table:
                if len(cells) not in (0, len(columns)):
                    raise InputError(
                        f"{path}:{table.line_num}: has {len(cells)} cells, expected {len(columns)}"
                    )
                if any(cell.strip() for cell in cells):
                    yield table.line_num, dict(zip(columns, (cell.strip() for cell in cells)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path}: cannot be read as a table with commas, in UTF-8 ({error})"
        ) from error


def _check_columns(path: Path, columns: list[str]) -> None:
    missing = [name for name in REQUIRED if name not in columns]
    if "mask" not in columns and any(name in columns for name in POSITION):
        missing += [name for name in POSITION if name not in columns]
    if missing:
        raise InputError(
            f"{path}: has no column {', '.join(missing)}, expected {', '.join(REQUIRED)} and, for volumes, x, y, z or mask "
            f"(found {', '.join(columns) or 'none'})"
        )
    if len(set(columns)) < len(columns):
        raise InputError(
            f"{path}: has a column twice, expected names that differ (found {', '.join(columns)})"
        )


def _lesion(folder: Path, line: int, row: dict[str, str], classes: list[str]) -> Lesion:
    for name in REQUIRED:
        if not row[name]:
            raise InputError(f"{name} is empty, expected text")
    mask = _inside(folder, "mask", row["mask"]) if row.get("mask") else None
    position, image = _position(row), _inside(folder, "image", row["image"])
    placed = mask is not None or position is not None
    if placed and is_picture(image):
        raise InputError("gives a place in a picture, expected x, y, z and mask to be empty")
    if not placed and not is_picture(image):
        raise InputError("gives no place, expected x, y and z, or mask")
    return Lesion(
        line=line,
        patient=row["patient"],
        image=image,
        label=_one_of("label", row["label"], classes),
        position=position,
        frame=_one_of("frame", row.get("frame", "").lower() or "ras", FRAMES),
        mask=mask,
        diameter_mm=_diameter(row, mask),
        site=row.get("site", ""),
        split=_one_of("split", row.get("split", "").lower(), ("", *PARTS)),
        series=row.get("series", ""),
        segment=_segment(row.get("segment", "")),
    )


def _position(row: dict[str, str]) -> tuple[float, ...] | None:
    cells = [row.get(name, "") for name in POSITION]
    if not any(cells):
        return None
    return tuple(_number(name, cell) for name, cell in zip(POSITION, cells))


def _diameter(row: dict[str, str], mask: Path | None) -> float | None:
    if "diameter_mm" not in row or (mask and not row["diameter_mm"]):
        return None
    diameter = _number("diameter_mm", row["diameter_mm"])
    if diameter <= 0:
        raise InputError(f"diameter_mm is {diameter:g}, expected more than 0")
    return diameter


def _segment(cell: str) -> int | None:
    if cell and not cell.isdecimal():
        raise InputError(f"segment is {cell!r}, expected the number of a segment")
    return int(cell) if cell else None


def _number(name: str, cell: str) -> float:
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(
            f"{name} is {cell!r}, expected a number"
            if cell
            else f"{name} is empty, expected a number"
        )
    return number


def _one_of(name: str, cell: str, known: list[str] | tuple[str, ...]) -> str:
    if cell not in known:
        raise InputError(f"{name} is {cell!r}, expected one of {', '.join(filter(None, known))}")
    return cell


def _inside(folder: Path, name: str, cell: str) -> Path:
    """The file that a cell names, which may not leave the folder, be it by a link."""
    path = folder / cell
    try:
        leaves = Path(cell).is_absolute() or not path.resolve().is_relative_to(folder.resolve())
    except (
        OSError,
        RuntimeError,
        ValueError,
    ) as error:  # links in a circle, a character no path has
        raise InputError(f"{name} is {cell!r}, expected a file ({error})") from error
    if leaves:
        raise InputError(
            f"{name} is {cell!r}, which leaves the folder, expected a file inside {folder}"
        )
    return path


def _check_together(path: Path, lesions: list[Lesion]) -> None:
    owners: dict[Path, Lesion] = {}
    for lesion in lesions:
        owners.setdefault(lesion.image.resolve(), lesion)
    places: dict[tuple, int] = {}
    for lesion in lesions:
        image = lesion.image.resolve()
        for around in (
            image,
            *image.parents,
        ):  # a series may lie in the folder that another row names
            owner = owners.get(around, lesion)
            if owner.patient != lesion.patient:
                raise InputError(
                    f"{path}:{max(lesion.line, owner.line)}: {lesion.image.name} belongs to another patient on line "
                    f"{min(lesion.line, owner.line)}, expected one patient an image"
                )
        place = (
            image,
            lesion.series,
            lesion.position or (lesion.mask, lesion.segment),
            lesion.frame,
        )
        before = places.setdefault(place, lesion.line)
        if before != lesion.line:
            raise InputError(
                f"{path}:{lesion.line}: is the lesion of line {before} again, expected each lesion once"
            )
