"""A patient in folders of pictures by class: all files that are named after the patient."""

import re
from collections import Counter
from pathlib import Path

from graft.common.shown import counted
from graft.forgetting.raw import RawTrace, inside, nothing
from graft.forgetting.wanted import Wanted
from graft.pictures.class_folders import MASK
from graft.pictures.picture_files import is_picture


def find_in_pictures(
    domain: str, root: Path, wanted: Wanted, pattern: str | None, ignore: str | None
) -> RawTrace | None:
    """Find the pictures of a patient, and the masks and other files beside them; None without any.

    `pattern` finds the patient in the name of a file. Without it each picture is a patient, whose
    name is its path in the folder. `ignore` finds what is no lesion.
    """
    names: set[str] = set()
    files: list[Path] = []
    left: Counter[str] = Counter()
    lesions = 0
    for file in sorted(root.rglob("*")):
        if file.is_dir() or not inside(file, root):
            continue
        place = file.relative_to(root).as_posix()
        name = _patient(domain, place, pattern)
        is_lesion = is_picture(file) and not (ignore and re.search(ignore, place))
        if name and (wanted.is_patient(name) or wanted.text == place):
            names.add(name)
            files.append(file)
            lesions += is_lesion
        elif is_lesion:
            left[file.parent.name] += 1
    if not files:
        return None
    return RawTrace(
        domain=domain,
        root=root,
        names=frozenset(names),
        lesions=lesions,
        where=counted(lesions, "picture"),
        files=files,
        tables=(),
        left=left,
        rewrite=nothing,
        texts=[(file.relative_to(root).as_posix(), "the path of a picture") for file in files],
    )


def _patient(domain: str, place: str, pattern: str | None) -> str:
    """The patient of a file; "" if its name has none."""
    name = place.rpartition("/")[2]
    if pattern:
        match = re.search(pattern, name)
        return match[1] or "" if match else ""
    stem, dot, suffix = place.rpartition(".")
    mask = MASK.fullmatch(stem)  # it belongs to the picture beside it
    return f"{domain} {mask[1]}{dot}{suffix}" if mask else f"{domain} {place}"
