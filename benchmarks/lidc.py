"""Lung nodules of LIDC-IDRI with the readers' ratings, as domains of graft.

The folder of the data has lung_lidc/volumes_1mm_32.npz, nodules.csv and ratings.csv. A nodule has
the ratings of one reader. A domain has one of them as its two classes.
"""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.lung_to_adrenal import NODULES, VOLUMES, require_files
from graft.common.files import InputError
from graft.data.domain import Domain
from graft.keys.pseudonyms import PUBLISHED_KEY, pseudonym

RATINGS = Path("lung_lidc/ratings.csv")
SIDE = 16  # voxels of 1 mm of a patch; 54 of the 815 nodules lose more than a tenth of theirs
BLACK = 0  # around a nodule
WHITE = 255


@dataclass(frozen=True)
class Rating:
    """A rating as two classes: those from `least` to `most` are the second one.

    Scales go from 1 to 5, that of calcification to 6, where 6 is "absent".
    """

    column: str
    least: int
    most: int
    classes: tuple[str, str]


TASKS = {
    "malignancy": Rating("malignancy_rating", 4, 5, ("benign", "malignant")),
    "calcification": Rating("calcification", 1, 5, ("absent", "calcified")),
    "lobulation": Rating("lobulation", 2, 5, ("smooth", "lobulated")),
    "spiculation": Rating("spiculation", 2, 5, ("smooth", "spiculated")),
    "margin": Rating("margin", 1, 4, ("sharp", "blurred")),
    "sphericity": Rating("sphericity", 1, 3, ("round", "elongated")),
    "subtlety": Rating("subtlety", 1, 3, ("obvious", "subtle")),
}


@dataclass(frozen=True)
class Nodules:
    """N nodules.

    Attributes:
        volumes: (N, 32, 32, 32) uint8, 1 mm per voxel, 0 around the nodule.
        patients: (N,)
        ratings: a row per nodule, with the columns that TASKS name.
    """

    volumes: np.ndarray
    patients: np.ndarray
    ratings: pd.DataFrame

    def has(self, task: str) -> np.ndarray:
        """Whether each nodule is of the second class of a task: (N,) of bool."""
        rating = TASKS[task]
        return self.ratings[rating.column].between(rating.least, rating.most).to_numpy()

    def sizes(self) -> np.ndarray:
        """The voxels of each nodule: (N,)."""
        return (self.volumes > BLACK).sum((1, 2, 3)).astype(float)


def read_nodules(data: Path) -> Nodules:
    """Read the nodules and their ratings.

    Raises:
        InputError: if a file is missing or broken, or if a nodule has no patient or no rating.
    """
    require_files(data, VOLUMES, NODULES, RATINGS)
    folder = data / VOLUMES.parent
    try:
        with np.load(data / VOLUMES, allow_pickle=False) as arrays:
            volumes = arrays["volumes"]
            rows = arrays["nodule_index"]
        nodules = pd.read_csv(data / NODULES, index_col="nodule_index").loc[rows]
        ratings = pd.read_csv(data / RATINGS, index_col="nodule_index").loc[rows]
        ratings["malignancy_rating"] = nodules["malignancy_rating"]
        ratings = ratings[[rating.column for rating in TASKS.values()]]
        patients = nodules["lidc_patient_id"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{folder}: cannot be read as its README describes it ({error})"
        ) from error
    if patients.isna().any() or ratings.isna().any(axis=None):
        raise InputError(f"{folder}: a nodule has no patient or no rating, expected both")
    return Nodules(volumes, patients.to_numpy(str), ratings)


def as_shapes(nodules: Nodules) -> Nodules:
    """Return the nodules without grey values: white, and black around them."""
    volumes = np.where(nodules.volumes > BLACK, WHITE, BLACK).astype(np.uint8)
    return replace(nodules, volumes=volumes)


def nodule_domain(
    nodules: Nodules, name: str, task: str, side: int, further: Sequence[str] = ()
) -> Domain:
    """Return the nodules as a domain whose classes are those of one task.

    Args:
        nodules: N of them.
        name: of the domain.
        task: a key of TASKS.
        side: voxels of the patch about the middle of each nodule, in mm.
        further: tasks whose ratings are further labels.
    """
    margin = (nodules.volumes.shape[1] - side) // 2
    middle = slice(margin, margin + side)
    patches = nodules.volumes[:, None, middle, middle, middle]
    classes = list(TASKS[task].classes)
    sizes = nodules.sizes()
    domain = make_domain(name, patches, nodules.patients, nodules.has(task), classes, sizes)
    if not further:
        return domain
    columns = [TASKS[other].column for other in further]
    tasks = nodules.ratings[columns].astype(str).reset_index(drop=True)
    return replace(domain, task_kinds=dict.fromkeys(columns, "ordinal"), tasks=tasks)


def make_domain(
    name: str,
    volumes: np.ndarray,
    patients: np.ndarray,
    diseased: np.ndarray,
    classes: list[str],
    sizes: np.ndarray,
) -> Domain:
    """Return volumes (N, 1, *spatial) in [0, 255] as a domain.

    Args:
        name: of the domain.
        volumes: the images.
        patients: (N,)
        diseased: (N,), whether each image is of the second class.
        classes: two of them.
        sizes: (N,), the voxels of each lesion.
    """
    images = (volumes / WHITE).astype(np.float16)
    count = len(images)
    # Patient numbers are public, and results must not depend on a key.
    pseudonyms = [pseudonym(patient, PUBLISHED_KEY) for patient in patients]
    index = pd.DataFrame(
        {
            "sample": range(count),
            "patient": pseudonyms,
            "label": np.where(diseased, classes[1], classes[0]),
            "site": "",
            "split": "",
            "origin": [f"row {row}" for row in range(count)],
            "size": sizes,
            "hash": "",
        }
    )
    about = {
        "patch": list(images.shape[2:]),
        "spacing": None,
        "window": [BLACK, WHITE],
        "intensity": "window",
        "size": "voxels of the lesion",
    }
    return Domain(name, images, index, classes, about)
