"""Arrays to try an example with, made from the phantom cohort where the user has none."""

from pathlib import Path

import numpy as np

from examples.workspace import call, clear
from graft.common.files import whole_folder
from graft.console import say
from graft.data.domain import Grid
from graft.ingest.arrays import DATA_FILE, GROUPS_FILE, LABELS_FILE
from graft.ingest.manifest import read_manifest

ORGANS = {Path("data/raw/lung_arrays"): "lung", Path("data/raw/liver_arrays"): "liver"}
CLASSES = ["benign", "malignant"]
WINDOWS_HU = {
    "lung": (-1000.0, 400.0),
    "liver": (160.0, 0.0),
}  # in both, lesions are lighter than their organ


def write(folder: Path, path: Path) -> None:
    """Write `data.npy` (N, 32, 32) float32 in [0, 1], `labels.npy` and `groups.npy` at `path` in a workspace.

    Each image is the axial plane of 32 mm through a lesion of the phantom, which DVC makes first.
    """
    organ = ORGANS[path]
    say(f"{path}: is not there, so axial slices of the phantom's {organ} lesions stand in for it")
    call(folder, "dvc", "repro", "--quiet", f"data/phantom/dvc.yaml:phantom@{organ}")
    grid = Grid((32, 32), (1.0, 1.0), WINDOWS_HU[organ])
    domain = read_manifest(folder / "data/phantom" / organ, organ, CLASSES, grid)
    clear(folder / path)
    with whole_folder(folder / path) as partial:
        np.save(partial / DATA_FILE, domain.images[:, 0].astype(np.float32))  # (N, 32, 32)
        np.save(partial / LABELS_FILE, domain.index["label"].map(CLASSES.index).to_numpy())
        np.save(partial / GROUPS_FILE, domain.index["patient"].to_numpy(str))
