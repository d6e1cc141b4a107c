"""Arrays for users without data of their own, made from the phantom cohort."""

from pathlib import Path

import numpy as np

from examples.workspace import remove_data, run_command
from graft.common.files import whole_folder
from graft.console import say
from graft.grids.grid import Grid
from graft.ingest.arrays import DATA_FILE, GROUPS_FILE, LABELS_FILE
from graft.ingest.manifest import read_manifest

ORGANS = {
    Path("data/raw/lung_arrays"): "lung",
    Path("data/raw/liver_arrays"): "liver",
}
CLASSES = ["benign", "malignant"]
# In both organs these windows make lesions brighter than the tissue around them.
WINDOWS_HU = {
    "lung": (-1000.0, 400.0),
    "liver": (160.0, 0.0),
}


def write_arrays(folder: Path, path: Path) -> None:
    """Write `data.npy` (N, 32, 32) float32 in [0, 1], `labels.npy` and `groups.npy`.

    Each image is the axial plane of 32 mm through a lesion of the phantom, which DVC makes first.

    Args:
        folder: the workspace of an example.
        path: one of ORGANS, the place of the arrays in the workspace.
    """
    organ = ORGANS[path]
    say(f"{path}: is missing, so axial slices of the phantom's {organ} lesions stand in for it")
    run_command(folder, "dvc", "repro", "--quiet", f"data/phantom/dvc.yaml:phantom@{organ}")
    grid = Grid((32, 32), (1.0, 1.0), WINDOWS_HU[organ])
    domain = read_manifest(folder / "data/phantom" / organ, organ, CLASSES, grid)
    images = domain.images[:, 0].astype(np.float32)  # (N, 32, 32)
    labels = domain.index["label"].map(CLASSES.index).to_numpy()
    patients = domain.index["patient"].to_numpy(str)
    remove_data(folder / path)
    with whole_folder(folder / path) as partial:
        np.save(partial / DATA_FILE, images)
        np.save(partial / LABELS_FILE, labels)
        np.save(partial / GROUPS_FILE, patients)
