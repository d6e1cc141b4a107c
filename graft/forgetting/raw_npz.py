"""A patient in a MedMNIST file: one image and one label of `train`, `val` or `test`.

The file names no patients. One is `<domain> <part>:<number>`, counted in the processed domain.
"""

import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from graft.common.files import InputError, whole_file
from graft.common.links import follow_links
from graft.forgetting.raw import RawTrace, class_names, count_left
from graft.forgetting.wanted import Wanted
from graft.ingest.npz import list_arrays, read_npz

FIELDS = ("images", "labels")


def find_in_npz(
    domain: str, file: Path, wanted: Wanted, classes: Sequence[str], index: pd.DataFrame | None
) -> RawTrace | None:
    """Find the image of a patient; None if there is none, or if an earlier run took it out.

    The index of the processed domain has the number of each image; None if it is missing.

    Raises:
        InputError: if the archive cannot be read, or has another number of images than the index.
    """
    if index is None:
        return None
    places = [str(origin) for origin in index["origin"]]
    mine = [place for place in places if wanted.is_patient(f"{domain} {place}")]
    if not mine:
        return None
    part, _, number = mine[0].partition(":")
    row = int(number)
    counted = sum(place.startswith(f"{part}:") for place in places)
    names = [f"{part}_{field}" for field in FIELDS]
    arrays = read_npz(file, names)
    found = [len(array) for array in arrays.values()]
    if found == [counted - 1, counted - 1]:
        return None
    if found != [counted, counted]:
        raise InputError(f"{file}: {part} has {found} rows, expected {counted} of each array")
    images, labels = arrays.values()
    others = [name for name in list_arrays(file) if name.endswith("_labels") and name not in names]
    left = count_left(class_names(labels, classes), [row])
    for one in read_npz(file, others).values():
        left.update(class_names(one, classes))
    return RawTrace(
        domain=domain,
        root=file.parent,
        names=frozenset((f"{domain} {mine[0]}",)),
        lesions=1,
        where=f"1 image of {part} in {file.name}",
        files=(),
        tables=[file],
        left=left,
        rewrite=lambda: _rewrite(file, names, row),
        bytes_of_rows=[images[row].tobytes()],
        is_counted=True,
    )


def _rewrite(file: Path, names: Sequence[str], row: int) -> None:
    """Write the archive without a row of some of its arrays. The others stay as they are."""
    path = follow_links(file)
    arrays = read_npz(path, list(names))
    with whole_file(path) as partial, zipfile.ZipFile(path) as source:
        shutil.copymode(path, partial)
        with zipfile.ZipFile(partial, "w") as written:
            for member in source.infolist():
                about = zipfile.ZipInfo(member.filename, member.date_time)
                about.compress_type = member.compress_type
                with written.open(about, "w", force_zip64=True) as to:
                    array = arrays.get(member.filename.removesuffix(".npy"))
                    if array is None:
                        with source.open(member) as content:
                            shutil.copyfileobj(content, to)
                    else:
                        np.lib.format.write_array(to, np.delete(array, row, 0), allow_pickle=False)
