"""Adrenal glands of AdrenalMNIST3D as a domain of graft, at either of its two resolutions.

The glands are shapes without grey values. The file names no patients, so each gland counts as one.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.lidc import make_domain
from benchmarks.lung_to_adrenal import ADRENAL, CLASSES, TARGET, require_files
from graft.common.files import InputError
from graft.data.domain import Domain

SIDE = 24  # voxels of a patch; at 64³, 6 of the 1,584 glands lose more than a tenth of theirs
FINE = Path("adrenal/adrenalmnist3d_64.npz")
PARTS = ("train", "val", "test")


@dataclass(frozen=True)
class Resolution:
    """A file of the glands, and how its voxels become those of a patch.

    Attributes:
        file: in the folder of the data.
        block: voxels along each axis whose mean becomes one voxel.
    """

    file: Path
    block: int


RESOLUTIONS = {28: Resolution(ADRENAL, 1), 64: Resolution(FINE, 2)}


@dataclass(frozen=True)
class Glands:
    """The domain, and its rows by official part: those with labels, and those to test."""

    domain: Domain
    labelled: np.ndarray
    test: np.ndarray


def read_glands(data: Path, side: int) -> Glands:
    """Read the glands at a resolution of `side`³ voxels, as patches of SIDE³.

    No patient is held back for validation, so the official parts train and val have the labels.

    Raises:
        InputError: if the file is missing or broken.
    """
    resolution = RESOLUTIONS[side]
    path = data / resolution.file
    require_files(data, resolution.file)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            images = [arrays[f"{part}_images"] for part in PARTS]
            labels = [arrays[f"{part}_labels"].ravel() for part in PARTS]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: cannot be read as a file of MedMNIST ({error})") from error
    volumes = np.concatenate(images)
    patches = middle_patches(volumes, resolution.block)
    sizes = (volumes > 0).sum((1, 2, 3)).astype(float)
    names = np.array([f"gland {row}" for row in range(len(volumes))])
    massed = np.concatenate(labels) == 1
    domain = make_domain(TARGET, patches, names, massed, CLASSES[TARGET], sizes)
    first = len(volumes) - len(images[-1])
    return Glands(domain, np.arange(first), np.arange(first, len(volumes)))


def middle_patches(volumes: np.ndarray, block: int) -> np.ndarray:
    """Return the middle of volumes (N, S, S, S) as patches (N, 1, SIDE, SIDE, SIDE).

    Each voxel of a patch is the mean of `block`³ voxels.
    """
    width = SIDE * block
    margin = (volumes.shape[1] - width) // 2
    middle = slice(margin, margin + width)
    cropped = volumes[:, middle, middle, middle]
    blocks = cropped.reshape(len(volumes), SIDE, block, SIDE, block, SIDE, block)
    return blocks.mean((2, 4, 6), dtype=np.float32)[:, None]
