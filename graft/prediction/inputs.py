"""The lesions in what a user names: a picture, arrays, a folder or a manifest."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from graft.common.files import InputError
from graft.common.links import check_file_inside, check_inside
from graft.common.names import TEXT_RULE, is_text
from graft.common.shown import shown
from graft.ingest.arrays import DATA_FILE, map_images
from graft.ingest.medmnist import list_npz_files, list_parts, read_part_images
from graft.ingest.rows import MANIFEST, REQUIRED_TO_PREDICT, iterate_cells, read_unlabelled_row
from graft.pictures.class_folders import MASK, is_hidden
from graft.pictures.picture_files import is_picture
from graft.prediction.form import InputForm
from graft.prediction.lesions import Lesion
from graft.prediction.prediction import Failure

Listed = Lesion | Failure


def list_lesions(path: Path, form: InputForm) -> list[Listed]:
    """List the lesions at a path, without reading a scan.

    Args:
        path: a picture; `.npy` or `.npz`; a manifest, `.csv`, with or without labels; or a folder
            with `manifest.csv`, `data.npy`, one `.npz`, or pictures.
        form: of the inputs of the model.

    Returns:
        A Lesion for each, or a Failure for a row of a manifest that cannot be used.

    Raises:
        InputError: if there are none, or if the path is a scan, of which the position of the lesion
            must be known.
    """
    listed = [check_name(found) for found in _list(path, form)]
    if not listed:
        raise InputError(f"{path}: has no rows, expected one per lesion")
    return listed


def _list(path: Path, form: InputForm) -> Iterator[Listed]:
    if not path.exists():
        raise InputError(f"{path}: is missing, expected a scan, a picture, an array or a folder")
    if not path.is_dir():
        return _list_file(path, form)
    if os.path.lexists(path / MANIFEST):
        return _list_manifest(path / MANIFEST, form)
    if os.path.lexists(path / DATA_FILE):
        return _list_file(path / DATA_FILE, form)
    archives = list_npz_files(path)
    if len(archives) == 1:
        check_file_inside(archives[0], path)
        return _list_file(archives[0], form)
    pictures = _find_pictures(path)
    if not pictures:
        raise InputError(
            f"{path}: has neither {MANIFEST} nor {DATA_FILE}, one .npz or pictures; a scan, such "
            "as a DICOM series, needs the position of its lesion (--at) or a mask (--mask)"
        )
    return (Lesion(picture) for picture in pictures)


def _list_file(path: Path, form: InputForm) -> Iterator[Listed]:
    dimensions = len(form.grid.patch)
    suffix = path.suffix.lower()
    if suffix == ".csv":
        yield from _list_manifest(path, form)
    elif suffix == ".npy":
        for row in range(len(map_images(path, dimensions))):
            yield Lesion(path, row=str(row))
    elif suffix == ".npz":
        for part in list_parts(path):
            for row in range(len(read_part_images(path, part, dimensions))):
                yield Lesion(path, row=f"{part}:{row}")
    elif is_picture(path):
        yield Lesion(path)
    else:
        raise InputError(
            f"{path}: is a scan, which needs the position of its lesion (--at) or a mask (--mask)"
        )


def _list_manifest(path: Path, form: InputForm) -> Iterator[Listed]:
    """The lesions of a manifest; a row that cannot be used is a Failure."""
    folder = path.parent
    patients: dict[str, str] = {}  # a key for each name, which is not kept
    for line, cells in iterate_cells(path, REQUIRED_TO_PREDICT):
        scan = cells["image"]
        try:
            row = read_unlabelled_row(folder, line, cells)
        except InputError as error:
            yield Failure(Lesion(folder / scan, scan=scan, line=line), str(error))
            continue
        name = cells.get("patient", "")
        tells = "known" in cells and "known" not in form.columns
        yield Lesion(
            image=row.image,
            position=row.position,
            frame=row.frame,
            mask=row.mask,
            series=row.series,
            segment=row.segment,
            diameter_mm=row.diameter_mm,
            covariates={name: cells[name] for name in form.columns if name in cells},
            scan=scan,
            line=line,
            patient=patients.setdefault(name, f"{path}:{line}") if name and tells else "",
            known=cells["known"] if tells else "",
        )


def _find_pictures(folder: Path) -> list[Path]:
    """The pictures in a folder and its subfolders, sorted, without the masks beside them."""
    found = [path for path in sorted(folder.rglob("*")) if is_picture(path)]
    visible = []
    for path in found:
        check_inside(path, folder)
        if not any(is_hidden(part) for part in (path, *path.relative_to(folder).parents)):
            visible.append(path)
    stems = {path.with_suffix("") for path in visible}
    pictures = []
    for path in visible:
        match = MASK.fullmatch(path.stem)
        if not match or path.with_name(match[1]) not in stems:
            pictures.append(path)
    return pictures


def check_name(found: Listed) -> Listed:
    """A Failure if the name of a scan cannot be written to a table: a spreadsheet might run it."""
    lesion = found.lesion if isinstance(found, Failure) else found
    name = lesion.scan or str(lesion.image)
    if is_text(name):
        return found
    anonymous = replace(lesion, scan=f"line {lesion.line}" if lesion.line else "scan")
    return Failure(anonymous, f"its name is {shown(name)}, {TEXT_RULE}")
