"""The raw data of a patient in a domain, in any of its forms."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from graft.common.links import follow_links

Change = Callable[[], None]


@dataclass(frozen=True)
class RawTrace:
    """What the raw data of a domain has of a patient.

    Attributes:
        domain: its name.
        root: the folder or file of its raw data.
        names: of the patient there. They must never be printed.
        lesions: how many.
        where: the tables and arrays that have them, in words.
        files: that belong to this patient alone. Links among them may lead elsewhere.
        left: how many lesions of each class the other patients have.
        tables: the tables and arrays that change.
        rewrite: takes the patient out of them. It comes after the files, because the
            patient is found by them. It may run again after it was killed.
        bytes_of_rows: the bytes of the patient's rows of an array.
        texts: that identify the patient in the files, each with what it is.
        files_of_others: that the raw data has too.
        is_counted: whether the patient is found by a row of the processed domain, not by a name.
    """

    domain: str
    root: Path
    names: frozenset[str]
    lesions: int
    where: str
    files: Sequence[Path]
    tables: Sequence[Path]
    left: Mapping[str, int]
    rewrite: Change
    bytes_of_rows: Sequence[bytes] = field(default=(), repr=False)
    texts: Sequence[tuple[str, str]] = field(default=(), repr=False)
    files_of_others: Sequence[Path] = field(default=(), repr=False)
    is_counted: bool = False

    @property
    def of_others(self) -> set[Path]:
        """The files of others and the tables, without links."""
        return {follow_links(file) for file in (*self.files_of_others, *self.tables)}

    def root_is_inside(self, project: Path) -> bool:
        """Whether the raw data is in the folder of the project, and not only linked from there."""
        return inside(self.root, project)

    def emptied(self, classes: Iterable[str]) -> list[str]:
        """The classes that no other patient has."""
        return [label for label in classes if not self.left.get(label)]


def nothing() -> None:
    """The change of raw data that has neither tables nor arrays."""


def count_left(labels: Iterable[str], rows: Iterable[int]) -> Counter[str]:
    """Count the labels (N,) of all rows but some."""
    gone = set(rows)
    return Counter(label for row, label in enumerate(labels) if row not in gone)


def class_names(labels: np.ndarray, classes: Sequence[str]) -> list[str]:
    """The class of each row of an array of labels, which has names or numbers from 0."""
    names = {str(number): name for number, name in enumerate(classes)}
    return [names.get(str(label), str(label)) for label in labels.ravel().tolist()]


def inside(path: Path, root: Path) -> bool:
    """Whether a path, or what it links to, is in a folder."""
    return follow_links(path).is_relative_to(follow_links(root))


def nobody(_: Path) -> bool:
    """Keeps no file."""
    return False


def leads_away(file: Path, root: Path, is_kept: Callable[[Path], bool] = nobody) -> bool:
    """Whether a file is, or links to, one that must stay: outside of `root`, or kept."""
    return not inside(file, root) or is_kept(follow_links(file))


def delete_files(
    files: Iterable[Path], root: Path, is_kept: Callable[[Path], bool] = nobody
) -> None:
    """Delete files, what they link to, and the folders inside `root` that this leaves empty.

    Of a file that leads away, only a link is deleted. An empty folder may be among the files.
    """
    top = follow_links(root)
    for file in files:
        target = follow_links(file)
        folders = {target.parent, follow_links(file.parent)}
        if leads_away(file, root, is_kept):
            if file.is_symlink():
                file.unlink()
        elif target.is_dir():
            folders = {target}
        else:
            target.unlink(missing_ok=True)
            file.unlink(missing_ok=True)  # after its target, to which a link shows the way
        for folder in folders:
            _delete_empty(folder, top)


def _delete_empty(folder: Path, top: Path) -> None:
    """Delete a folder, if it is still there, and those around it up to `top`, if empty."""
    while folder != top and folder.is_relative_to(top) and folder.is_dir():
        if any(folder.iterdir()):
            return
        folder.rmdir()
        folder = folder.parent
