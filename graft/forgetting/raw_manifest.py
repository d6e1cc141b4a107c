"""A patient in a manifest: the rows, and the scans, masks and pictures that they alone name."""

import csv
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from graft.common.files import InputError, whole_file
from graft.common.links import follow_links
from graft.common.shown import counted
from graft.forgetting.raw import RawTrace, count_left, inside
from graft.forgetting.raw_dicom import own_identifiers
from graft.forgetting.wanted import Wanted
from graft.ingest.rows import MANIFEST, iterate_cells
from graft.volumes.volume_files import list_files

BOM = "\ufeff"
PATHS = ("image", "mask")  # columns that name files
PATIENT = "patient"
LINES_SHOWN = 5


def find_in_manifest(domain: str, root: Path, wanted: Wanted) -> RawTrace | None:
    """Find the rows and files of a patient; None if there are none.

    Raises:
        InputError: if the manifest is no table.
    """
    table = root / MANIFEST
    rows = list(iterate_cells(table))
    mine = [number for number, (_, cells) in enumerate(rows) if wanted.is_patient(cells[PATIENT])]
    if not mine:
        return None
    own = [rows[number][1] for number in mine]
    gone = set(mine)
    others = [cells for number, (_, cells) in enumerate(rows) if number not in gone]
    of_others = list(_scans(root, others))
    shared = {follow_links(file) for scan in of_others for file in scan}
    all_own = dict.fromkeys(file for scan in _scans(root, own) for file in scan)
    files = [file for file in all_own if follow_links(file) not in shared]
    lines = [str(rows[number][0]) for number in mine]
    more = ", ..." if len(lines) > LINES_SHOWN else ""
    return RawTrace(
        domain=domain,
        root=root,
        names=frozenset(cells[PATIENT] for cells in own),
        lesions=len(mine),
        where=f"{counted(len(mine), 'row')} of {MANIFEST} ({', '.join(lines[:LINES_SHOWN])}{more})",
        files=files,
        tables=[table],
        left=count_left([cells["label"] for _, cells in rows], mine),
        rewrite=lambda: _rewrite(table, wanted),
        texts=own_identifiers(files, [scan[0] for scan in of_others if scan]),
        files_of_others=[file for scan in of_others for file in scan],
    )


def _scans(root: Path, rows: Iterable[Mapping[str, str]]) -> Iterator[list[Path]]:
    """The files of each scan, picture or mask that rows name inside the folder of the raw data."""
    seen: set[Path] = set()
    for cells in rows:
        for column in PATHS:
            path = root / cells.get(column, "")
            if cells.get(column) and path not in seen and inside(path, root):
                seen.add(path)
                yield _files_of(path) if path.exists() else _empty_folder(path)


def _empty_folder(path: Path) -> list[Path]:
    """The empty folder that a killed run left where a file was; nothing if there is none."""
    folder = path.parent
    while not folder.exists():
        folder = folder.parent
    return [] if any(folder.iterdir()) else [folder]


def _files_of(path: Path) -> list[Path]:
    if path.is_dir():  # of DICOM; what lies beside the slices is the patient's too
        return [file for file in sorted(path.rglob("*")) if not file.is_dir()] or [path]
    try:
        return list(dict.fromkeys((path, *list_files(path))))
    except InputError:  # a damaged header does not say where its voxels are
        return [path]


def _rewrite(table: Path, wanted: Wanted) -> None:
    """Write the table without the patient's rows. All other bytes stay as they are."""
    path = follow_links(table)
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(file)
    reader = csv.reader(iter(lines))
    headings = [name.strip() for name in next(reader)]
    headings[0] = headings[0].removeprefix(BOM).strip()
    column = headings.index(PATIENT)
    kept = lines[: reader.line_num]
    begin = reader.line_num
    for row in reader:
        if not (row and wanted.is_patient(row[column].strip())):
            kept += lines[begin : reader.line_num]
        begin = reader.line_num
    with whole_file(path) as partial:
        shutil.copymode(path, partial)
        partial.write_bytes("".join(kept).encode())
