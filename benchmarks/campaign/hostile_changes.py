"""Changes that make a copy of the project hostile."""

import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.campaign.project import change_parameters
from benchmarks.campaign.wrong_values import MARKER

SECRET = "secret"  # a folder beside the data, which nothing may read


class Executes:
    """A pickle that makes a file when it is loaded."""

    def __reduce__(self) -> tuple:
        """Return what the unpickler calls."""
        return os.system, (f"touch {MARKER}",)


def first(pattern: str, change: Callable[[Path], object]) -> Callable[[Path], object]:
    """Change the first file that a pattern matches."""
    return lambda copy: change(sorted(copy.glob(pattern))[0])


def fifo(path: Path) -> None:
    """Put a FIFO in the place of a file."""
    path.unlink()
    os.mkfifo(path)


def link_outside(path: Path) -> None:
    """Move a file out of the folder of the data, and leave a symbolic link."""
    secret = _copy_of(path) / SECRET
    secret.mkdir(exist_ok=True)
    target = secret / path.name
    shutil.move(path, target)
    path.symlink_to(target)


def link_to_itself(path: Path) -> None:
    """Put a symbolic link to itself in the place of a file."""
    path.unlink()
    path.symlink_to(path.name)


def _copy_of(path: Path) -> Path:
    return next(folder for folder in path.parents if folder.name == "copy")


def header(lines: str) -> Callable[[Path], object]:
    """Give the first MetaImage header other last lines, which name a file outside."""

    def change(path: Path) -> None:
        secret = _copy_of(path) / "forms" / SECRET
        secret.mkdir(exist_ok=True)
        shutil.copy(path.with_suffix(".raw"), secret / "x.raw")
        kept = [line for line in path.read_text().splitlines() if "ElementDataFile" not in line]
        named = lines.replace("OUTSIDE", f"../{SECRET}/x.raw").replace("HERE", f"{path.stem}.raw")
        path.write_text("\n".join(kept) + "\n" + named)

    return first("forms/.mhd/*.mhd", change)


def nrrd(lines: str) -> Callable[[Path], object]:
    """Make the first NRRD file a header whose data is outside."""

    def change(path: Path) -> None:
        secret = _copy_of(path) / "forms" / SECRET
        secret.mkdir(exist_ok=True)
        (secret / "x.raw").write_bytes(bytes(2 * 12**3))
        path.write_text(
            "NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\n"
            "sizes: 12 12 12\nspace directions: (1,0,0) (0,1,0) (0,0,1)\nendian: little\n"
            f"encoding: raw\nspace origin: (0,0,0)\n{lines}\n"
        )

    return first("forms/.nrrd/*.nrrd", change)


def cell(column: int, text: str) -> Callable[[Path], object]:
    """Replace a cell of the first row of a manifest."""

    def change(path: Path) -> None:
        header, first, *rest = path.read_text().splitlines()
        cells = first.split(",")
        cells[column] = text
        path.write_text("\n".join([header, ",".join(cells), *rest]) + "\n")

    return first("forms/.nii/manifest.csv", change)


def rename_domain(name: str) -> Callable[[Path], object]:
    """Rename the target in params.yaml."""

    def change(copy: Path) -> None:
        path = copy / "params.yaml"
        text = path.read_text()
        path.write_text(text.replace("target: liver", f"target: {name!r}"))
        text = path.read_text()
        path.write_text(text.replace("\n  liver:\n    path", f"\n  {name!r}:\n    path"))

    return change


def pickled_array(path: Path) -> None:
    """Write an array that needs pickle."""
    np.save(path, np.array([Executes()], dtype=object), allow_pickle=True)


def raw_pickle(path: Path) -> None:
    """Write nothing but a pickle."""
    path.write_bytes(pickle.dumps(Executes()))


def torch_pickle(path: Path) -> None:
    """Write a file of weights that contains code."""
    import torch

    torch.save({"state_dict": Executes()}, path)


def name_class(name: str) -> Callable[[Path], object]:
    """Rename the class malignant everywhere."""

    def change(copy: Path) -> None:
        manifest = copy / "data/raw/liver/manifest.csv"
        quoted = f'"{name}"'
        manifest.write_text(manifest.read_text().replace("malignant", quoted))
        change_parameters(copy / "params.yaml", {"domains.liver.classes": ["benign", name]})

    return change


def name_site(name: str) -> Callable[[Path], object]:
    """Rename the site that is held out."""

    def change(copy: Path) -> None:
        manifest = copy / "data/raw/liver/manifest.csv"
        manifest.write_text(manifest.read_text().replace("site-b", name))
        change_parameters(copy / "params.yaml", {"domains.liver.split.external": name})

    return change
