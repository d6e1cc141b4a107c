"""The list of hostile files, each with the step that meets it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.campaign import bombs
from benchmarks.campaign import hostile_changes as to
from benchmarks.campaign.wrong_values import MARKER


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


ATTACKS = (
    Hostile("bomb", "form .nii.gz", to.first("forms/.nii.gz/*.nii.gz", bombs.gzip_bomb)),
    Hostile("bomb", "form .nii.gz", to.first("forms/.nii.gz/*.nii.gz", bombs.nifti_of_terabytes)),
    Hostile("bomb", "form .nii", to.first("forms/.nii/*.nii", bombs.nifti_of_terabytes)),
    Hostile("bomb", "form .mha", to.first("forms/.mha/*.mha", bombs.meta_image_of_terabytes)),
    Hostile("bomb", "form .nrrd", to.first("forms/.nrrd/*.nrrd", bombs.nrrd_of_terabytes)),
    Hostile("bomb", "form npy", to.first("forms/npy/data.npy", bombs.npy_of_terabytes)),
    Hostile("bomb", "form npz", to.first("forms/npz/*.npz", bombs.npz_of_terabytes)),
    Hostile("bomb", "form npz", to.first("forms/npz/*.npz", bombs.npz_bomb)),
    Hostile("bomb", "form png", to.first("forms/png/*/*.png", bombs.png_bomb)),
    Hostile("bomb", "form .mha", to.first("forms/.mha/*.mha", bombs.meta_image_bomb)),
    Hostile("bomb", "form dicom", to.first("forms/dicom/*/*.dcm", bombs.dicom_of_gigabytes)),
    Hostile(
        "bomb",
        "adopt safetensors",
        to.first("published/*.safetensors", bombs.safetensors_of_exabytes),
    ),
    Hostile("bomb", "parameters", to.first("params.yaml", bombs.nested_brackets)),
    Hostile("bomb", "parameters", to.first("params.yaml", bombs.yaml_bomb)),
    Hostile("bomb", "report", to.first("dvc.lock", bombs.yaml_bomb)),
    Hostile("bomb", "check", to.first("data/processed/liver/domain.json", bombs.nested_brackets)),
    Hostile("FIFO", "form .nii", to.first("forms/.nii/*.nii", to.fifo)),
    Hostile("FIFO", "form .nii", to.first("forms/.nii/manifest.csv", to.fifo)),
    Hostile("FIFO", "form .mha", to.first("forms/.mha/*.mha", to.fifo)),
    Hostile("FIFO", "form .mhd", to.first("forms/.mhd/*.raw", to.fifo)),
    Hostile("FIFO", "form dicom", to.first("forms/dicom/*/*.dcm", to.fifo)),
    Hostile("FIFO", "form npy", to.first("forms/npy/labels.npy", to.fifo)),
    Hostile("FIFO", "form npz", to.first("forms/npz/*.npz", to.fifo)),
    Hostile("FIFO", "form png", to.first("forms/png/*/*.png", to.fifo)),
    Hostile("FIFO", "adopt pth", to.first("published/*.pth", to.fifo)),
    Hostile("outside", "form .nii", to.first("forms/.nii/*.nii", to.link_outside)),
    Hostile("outside", "form .nii", to.first("forms/.nii/manifest.csv", to.link_outside)),
    Hostile("outside", "form .mhd", to.first("forms/.mhd/*.raw", to.link_outside)),
    Hostile("outside", "form npy", to.first("forms/npy/data.npy", to.link_outside)),
    Hostile("outside", "form npz", to.first("forms/npz/*.npz", to.link_outside)),
    Hostile("outside", "form png", to.first("forms/png/*/*.png", to.link_outside)),
    Hostile("outside", "form jpg", to.first("forms/jpg/*/*.jpg", to.link_outside)),
    Hostile("outside", "form jpg", to.first("forms/jpg/*/*.jpg", to.link_to_itself)),
    Hostile("outside", "form npz", to.first("forms/npz/*.npz", to.link_to_itself)),
    Hostile("outside", "form .mhd", to.header("ElementDataFile = OUTSIDE\n")),
    Hostile("outside", "form .mhd", to.header("\nElementDataFile = OUTSIDE\n")),
    Hostile("outside", "form .mhd", to.header("\tElementDataFile = OUTSIDE\n")),
    Hostile("outside", "form .mhd", to.header(" ElementDataFile = OUTSIDE\n")),
    Hostile("outside", "form .mhd", to.header("ElementDataFile=OUTSIDE\n")),
    Hostile("outside", "form .mhd", to.header("data file = HERE\nElementDataFile = OUTSIDE\n")),
    Hostile("outside", "form .mhd", to.header("ElementDataFile = LIST\nOUTSIDE\n")),
    Hostile("outside", "form .mhd", to.header("Comment = a\rElementDataFile = OUTSIDE\n")),
    Hostile("outside", "form .nrrd", to.nrrd(f"data file: ../{to.SECRET}/x.raw")),
    Hostile("outside", "form .nrrd", to.nrrd(f"datafile: ../{to.SECRET}/x.raw")),
    Hostile("outside", "form .nrrd", to.nrrd(f"data file: LIST\n../{to.SECRET}/x.raw")),
    Hostile("outside", "form .nii", to.cell(1, "../.nii.gz/scan-0.nii.gz")),
    Hostile("outside", "form .nii", to.cell(1, "/etc/passwd")),
    Hostile("pickle", "form npy", to.first("forms/npy/data.npy", to.pickled_array)),
    Hostile("pickle", "form npy", to.first("forms/npy/groups.npy", to.pickled_array)),
    Hostile("pickle", "form npy", to.first("forms/npy/labels.npy", to.raw_pickle)),
    Hostile("pickle", "adopt pth", to.first("published/*.pth", to.torch_pickle)),
    Hostile("pickle", "adopt pth", to.first("published/*.pth", to.raw_pickle)),
    Hostile("pickle", "adopt safetensors", to.first("published/*.safetensors", to.raw_pickle)),
    Hostile("pickle", "check", to.first("data/processed/liver/images.npy", to.pickled_array)),
    Hostile("name", "parameters", to.rename_domain(f"a;touch {MARKER}")),
    Hostile("name", "parameters", to.rename_domain(f"$(touch {MARKER})")),
    Hostile("name", "parameters", to.rename_domain("../../outside")),
    Hostile("name", "parameters", to.rename_domain("a b")),
    Hostile("name", "form .nii", to.cell(0, f"$(touch {MARKER})"), refused=False),
    Hostile("name", "form .nii", to.cell(1, f"scan;touch {MARKER}.nii")),
    Hostile("name", "pipeline", to.name_class("<script>alert(1)</script>"), refused=False),
    Hostile("name", "pipeline", to.name_class("=1+1"), refused=False),
    Hostile("name", "pipeline", to.name_site("=1+1"), refused=False),
    Hostile("name", "pipeline", to.name_site("<img src=x onerror=alert(1)>"), refused=False),
)
