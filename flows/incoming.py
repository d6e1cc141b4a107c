"""Scans that wait in a folder or a bucket: the lesions of a manifest, or pictures.

No message contains a name that the source uses.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import fsspec

from graft.common.files import InputError

MANIFEST = "manifest.csv"
PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")


@dataclass(frozen=True)
class Source:
    """A folder with scans.

    Attributes:
        files: the file system.
        folder: the path in it.
    """

    files: fsspec.AbstractFileSystem
    folder: str

    @classmethod
    def open(cls, address: str) -> "Source":
        """Open a folder or fsspec URL.

        Raises:
            InputError: if there is no such folder.
        """
        expected = "expected a folder with scans, or a URL such as s3://bucket/scans"
        try:
            files, folder = fsspec.url_to_fs(address)
            files.invalidate_cache()
            is_folder = bool(address.strip() and folder.strip("/")) and files.isdir(folder)
        except Exception as error:  # of whatever library serves the URL; its text may have names
            problem = type(error).__name__
            raise InputError(f"source: cannot be read ({problem}), {expected}") from None
        if not is_folder:
            raise InputError(f"source: is no folder, {expected}")
        return cls(files, folder.rstrip("/"))


@dataclass(frozen=True)
class Row:
    """A lesion of the manifest, or a picture.

    Attributes:
        line: of the manifest; None without one.
        cells: by column; without a manifest `image` alone.
    """

    line: int | None
    cells: Mapping[str, str]


def list_rows(source: Source) -> list[Row]:
    """List the lesions of manifest.csv, or the pictures of a folder without one.

    Raises:
        InputError: if the manifest is no table, or has no column `image`.
    """
    path = f"{source.folder}/{MANIFEST}"
    if source.files.exists(path):
        return list(_manifest_rows(source.files.cat_file(path)))
    found = []
    for name in sorted(source.files.find(source.folder)):
        if name.lower().endswith(PICTURES):
            found.append(Row(None, {"image": name.removeprefix(f"{source.folder}/")}))
    return found


def _manifest_rows(content: bytes) -> Iterator[Row]:
    try:
        table = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        columns = [name.strip() for name in next(table, [])]
        if "image" not in columns or len(set(columns)) < len(columns):
            raise InputError(f"{MANIFEST}: expected different columns, one of them image")
        for cells in table:
            if len(cells) not in (0, len(columns)):
                counts = f"has {len(cells)} cells, expected {len(columns)}"
                raise InputError(f"{MANIFEST}:{table.line_num}: {counts}")
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                yield Row(table.line_num, dict(zip(columns, stripped, strict=True)))
    except (UnicodeDecodeError, csv.Error) as error:
        found = type(error).__name__
        raise InputError(f"{MANIFEST}: is no table with commas, in UTF-8 ({found})") from None
