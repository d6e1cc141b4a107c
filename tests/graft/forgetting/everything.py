"""A search that shares nothing with that of graft: every byte of a person in every file."""

import gzip
import hashlib
import os
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd

PIECE = 40  # bytes of an image that are nobody else's


def bytes_of_person(root: Path, name: str, pseudonym: str) -> set[bytes]:
    """All bytes that tell of a person in a project in which they still are."""
    found = {name.encode(), name.encode("utf-32-le"), pseudonym.encode()}
    for table in root.glob("data/processed/*/index.csv"):
        index = pd.read_csv(table, dtype=str)
        images = np.load(table.parent / "images.npy")
        for image in images[index["patient"] == pseudonym]:
            found |= pieces(image.tobytes())
    for table in root.glob("data/raw/*/manifest.csv"):
        rows = pd.read_csv(table, dtype=str)
        for image in rows["image"][rows["patient"] == name]:
            for file in (table.parent / image).rglob("*.dcm"):
                content = file.read_bytes()
                found.add(content[-PIECE:])
                found |= {hashlib.md5(content).hexdigest().encode()}
    for groups in root.glob("data/raw/*/groups.npy"):
        images = np.load(groups.parent / "data.npy")
        for image in images[np.load(groups) == name]:
            found |= pieces(image.tobytes())
    return found


def pieces(content: bytes) -> set[bytes]:
    starts = range(0, len(content) - PIECE, PIECE)
    found = {content[start : start + PIECE] for start in starts}
    return {piece for piece in found if len(set(piece)) > PIECE // 2}


def files_with(
    root: Path, needles: set[bytes], left_out: str = ".dvc/cache", but: str = "no such text"
) -> list[str]:
    """The files and folders below `root` that contain one of some bytes, apart from a text."""
    but_not = [but.encode(), but.encode("utf-32-le")]
    found = []
    for folder, _, files in os.walk(root):
        for name in ("", *files):
            path = Path(folder, name)
            place = path.relative_to(root).as_posix()
            if place.startswith((".git/", *filter(None, [left_out]))):
                continue
            contents = [os.fsencode(place), *(unpacked(path) if name else ())]
            for text in but_not:
                contents = [content.replace(text, b"") for content in contents]
            if any(needle in content for content in contents for needle in needles):
                found.append(place)
    return found


def unpacked(path: Path) -> list[bytes]:
    """The bytes of a file, and those that it unpacks to."""
    content = path.read_bytes()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return [content, *map(archive.read, archive.namelist())]
    return [content, gzip.decompress(content)] if path.suffix == ".gz" else [content]
