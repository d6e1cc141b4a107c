"""Hostile files: bombs, pickles, FIFOs, and ways to read outside the folder of the data.

Each attempt changes one file of a small raw domain, the published weights or the parameters. What
would have to be refused and is not counts as silently wrong, like a command that was executed.
"""

import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.campaign import bombs
from benchmarks.campaign.attempts import Attempt, run_step
from benchmarks.campaign.damaged import copy_everything, step_of
from benchmarks.campaign.project import OUTPUTS, change_parameters

MARKER = "executed"
SECRET = "secret"  # a folder beside the data, which nothing may read


class Executes:
    """A pickle that makes a file when it is loaded."""

    def __reduce__(self) -> tuple:
        """Return what the unpickler calls."""
        return os.system, (f"touch {MARKER}",)


@dataclass(frozen=True)
class Hostile:
    """One attack: it changes a copy of the project, and a step meets it.

    Attributes:
        title: of the row of the table.
        line: the step, or `pipeline` for all stages.
        change: gets the copy.
        refused: whether the step must refuse. Otherwise it may succeed.
    """

    title: str
    line: str
    change: Callable[[Path], object]
    refused: bool = True


def _first(pattern: str, change: Callable[[Path], object]) -> Callable[[Path], object]:
    """Change the first file that a pattern matches."""
    return lambda copy: change(sorted(copy.glob(pattern))[0])


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _link_outside(path: Path) -> None:
    """Move a file out of the folder of the data, and leave a symbolic link."""
    secret = _copy_of(path) / SECRET
    secret.mkdir(exist_ok=True)
    target = secret / path.name
    shutil.move(path, target)
    path.symlink_to(target)


def _copy_of(path: Path) -> Path:
    return next(folder for folder in path.parents if folder.name == "copy")


def _header(lines: str) -> Callable[[Path], object]:
    """Give the first MetaImage header other last lines, which name a file outside."""

    def change(path: Path) -> None:
        secret = _copy_of(path) / "forms" / SECRET
        secret.mkdir(exist_ok=True)
        shutil.copy(path.with_suffix(".raw"), secret / "x.raw")
        kept = [line for line in path.read_text().splitlines() if "ElementDataFile" not in line]
        named = lines.replace("OUTSIDE", f"../{SECRET}/x.raw").replace("HERE", f"{path.stem}.raw")
        path.write_text("\n".join(kept) + "\n" + named)

    return _first("forms/.mhd/*.mhd", change)


def _nrrd(lines: str) -> Callable[[Path], object]:
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

    return _first("forms/.nrrd/*.nrrd", change)


def _cell(column: int, text: str) -> Callable[[Path], object]:
    """Replace a cell of the first row of a manifest."""

    def change(path: Path) -> None:
        header, first, *rest = path.read_text().splitlines()
        cells = first.split(",")
        cells[column] = text
        path.write_text("\n".join([header, ",".join(cells), *rest]) + "\n")

    return _first("forms/.nii/manifest.csv", change)


def _rename_domain(name: str) -> Callable[[Path], object]:
    def change(copy: Path) -> None:
        path = copy / "params.yaml"
        text = path.read_text()
        path.write_text(text.replace("target: liver", f"target: {name!r}"))
        text = path.read_text()
        path.write_text(text.replace("\n  liver:\n    path", f"\n  {name!r}:\n    path"))

    return change


def _pickled_array(path: Path) -> None:
    np.save(path, np.array([Executes()], dtype=object), allow_pickle=True)


def _raw_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps(Executes()))


def _torch_pickle(path: Path) -> None:
    import torch

    torch.save({"state_dict": Executes()}, path)


def _name_class(name: str) -> Callable[[Path], object]:
    """Rename the class malignant everywhere."""

    def change(copy: Path) -> None:
        manifest = copy / "data/raw/liver/manifest.csv"
        quoted = f'"{name}"'
        manifest.write_text(manifest.read_text().replace("malignant", quoted))
        change_parameters(copy / "params.yaml", {"domains.liver.classes": ["benign", name]})

    return change


def _name_site(name: str) -> Callable[[Path], object]:
    def change(copy: Path) -> None:
        manifest = copy / "data/raw/liver/manifest.csv"
        manifest.write_text(manifest.read_text().replace("site-b", name))
        change_parameters(copy / "params.yaml", {"domains.liver.split.external": name})

    return change


ATTACKS = (
    Hostile("bomb", "form .nii.gz", _first("forms/.nii.gz/*.nii.gz", bombs.gzip_bomb)),
    Hostile("bomb", "form .nii.gz", _first("forms/.nii.gz/*.nii.gz", bombs.nifti_of_terabytes)),
    Hostile("bomb", "form .nii", _first("forms/.nii/*.nii", bombs.nifti_of_terabytes)),
    Hostile("bomb", "form .mha", _first("forms/.mha/*.mha", bombs.meta_image_of_terabytes)),
    Hostile("bomb", "form .nrrd", _first("forms/.nrrd/*.nrrd", bombs.nrrd_of_terabytes)),
    Hostile("bomb", "form npy", _first("forms/npy/data.npy", bombs.npy_of_terabytes)),
    Hostile("bomb", "form npz", _first("forms/npz/*.npz", bombs.npz_of_terabytes)),
    Hostile("bomb", "form npz", _first("forms/npz/*.npz", bombs.npz_bomb)),
    Hostile("bomb", "form png", _first("forms/png/*/*.png", bombs.png_bomb)),
    Hostile("FIFO", "form .nii", _first("forms/.nii/*.nii", _fifo)),
    Hostile("FIFO", "form .nii", _first("forms/.nii/manifest.csv", _fifo)),
    Hostile("FIFO", "form .mha", _first("forms/.mha/*.mha", _fifo)),
    Hostile("FIFO", "form .mhd", _first("forms/.mhd/*.raw", _fifo)),
    Hostile("FIFO", "form dicom", _first("forms/dicom/*/*.dcm", _fifo)),
    Hostile("FIFO", "form npy", _first("forms/npy/labels.npy", _fifo)),
    Hostile("FIFO", "form npz", _first("forms/npz/*.npz", _fifo)),
    Hostile("FIFO", "form png", _first("forms/png/*/*.png", _fifo)),
    Hostile("FIFO", "adopt pth", _first("published/*.pth", _fifo)),
    Hostile("outside", "form .nii", _first("forms/.nii/*.nii", _link_outside)),
    Hostile("outside", "form .nii", _first("forms/.nii/manifest.csv", _link_outside)),
    Hostile("outside", "form .mhd", _first("forms/.mhd/*.raw", _link_outside)),
    Hostile("outside", "form npy", _first("forms/npy/data.npy", _link_outside)),
    Hostile("outside", "form npz", _first("forms/npz/*.npz", _link_outside)),
    Hostile("outside", "form png", _first("forms/png/*/*.png", _link_outside)),
    Hostile("outside", "form .mhd", _header("ElementDataFile = OUTSIDE\n")),
    Hostile("outside", "form .mhd", _header("\nElementDataFile = OUTSIDE\n")),
    Hostile("outside", "form .mhd", _header("\tElementDataFile = OUTSIDE\n")),
    Hostile("outside", "form .mhd", _header(" ElementDataFile = OUTSIDE\n")),
    Hostile("outside", "form .mhd", _header("ElementDataFile=OUTSIDE\n")),
    Hostile("outside", "form .mhd", _header("data file = HERE\nElementDataFile = OUTSIDE\n")),
    Hostile("outside", "form .mhd", _header("ElementDataFile = LIST\nOUTSIDE\n")),
    Hostile("outside", "form .mhd", _header("Comment = a\rElementDataFile = OUTSIDE\n")),
    Hostile("outside", "form .nrrd", _nrrd(f"data file: ../{SECRET}/x.raw")),
    Hostile("outside", "form .nrrd", _nrrd(f"datafile: ../{SECRET}/x.raw")),
    Hostile("outside", "form .nrrd", _nrrd(f"data file: LIST\n../{SECRET}/x.raw")),
    Hostile("outside", "form .nii", _cell(1, "../.nii.gz/scan-0.nii.gz")),
    Hostile("outside", "form .nii", _cell(1, "/etc/passwd")),
    Hostile("pickle", "form npy", _first("forms/npy/data.npy", _pickled_array)),
    Hostile("pickle", "form npy", _first("forms/npy/groups.npy", _pickled_array)),
    Hostile("pickle", "form npy", _first("forms/npy/labels.npy", _raw_pickle)),
    Hostile("pickle", "adopt pth", _first("published/*.pth", _torch_pickle)),
    Hostile("pickle", "adopt pth", _first("published/*.pth", _raw_pickle)),
    Hostile("pickle", "adopt safetensors", _first("published/*.safetensors", _raw_pickle)),
    Hostile("pickle", "check", _first("data/processed/liver/images.npy", _pickled_array)),
    Hostile("name", "parameters", _rename_domain(f"a;touch {MARKER}")),
    Hostile("name", "parameters", _rename_domain(f"$(touch {MARKER})")),
    Hostile("name", "parameters", _rename_domain("../../outside")),
    Hostile("name", "parameters", _rename_domain("a b")),
    Hostile("name", "form .nii", _cell(0, f"$(touch {MARKER})"), refused=False),
    Hostile("name", "form .nii", _cell(1, f"scan;touch {MARKER}.nii")),
    Hostile("name", "pipeline", _name_class("<script>alert(1)</script>"), refused=False),
    Hostile("name", "pipeline", _name_class("=1+1"), refused=False),
    Hostile("name", "pipeline", _name_site("=1+1"), refused=False),
    Hostile("name", "pipeline", _name_site("<img src=x onerror=alert(1)>"), refused=False),
)


def plan_hostile(project: Path) -> Iterator[Attempt]:
    """All attacks, each once. One of each title comes first."""
    titles: dict[str, list[tuple[int, Hostile]]] = {}
    for number, attack in enumerate(ATTACKS):
        titles.setdefault(attack.title, []).append((number, attack))
    rounds = max(len(attacks) for attacks in titles.values())
    for k in range(rounds):
        for attacks in titles.values():
            if k >= len(attacks):
                continue
            number, attack = attacks[k]
            place = f"hostile file {number}, read by {attack.line}"
            yield Attempt(f"hostile: {attack.title}", place, partial(_attack, project, attack))


def _attack(project: Path, attack: Hostile, folder: Path) -> tuple[str, str]:
    copy = copy_everything(project, folder)
    attack.change(copy)
    lines = list(OUTPUTS) if attack.line == "pipeline" else [attack.line]
    for line in lines:
        step, _ = step_of(line)
        ended = run_step(step, copy)
        if list(folder.rglob(MARKER)):
            return "wrong", "a command was executed"
        fault = ended.fault()
        if fault:
            return fault[0], f"{line}: {fault[1]}"
        if ended.refused():
            return "survived", ended.err.strip()
    if attack.refused:
        return "wrong", "it was not refused"
    return _judge_text(copy)


def _judge_text(copy: Path) -> tuple[str, str]:
    """No page may have markup of a name, and no cell may begin a formula."""
    report = copy / "metrics/report.html"
    for tag in ("<script>alert", "<img src=x"):
        if tag in report.read_text():
            return "wrong", "markup of a name is in report.html"
    for table in sorted((copy / "metrics").rglob("*.csv")):
        for line in table.read_text().splitlines():
            if any(cell.strip('"').startswith("=") for cell in line.split(",")):
                return "wrong", f"{table.name} has a cell that is a formula"
    return "survived", "the pipeline ended"
