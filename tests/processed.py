"""Processed domains and splits, written and changed as if their stages had done it."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from graft.data.domain import Domain, write_domain
from graft.data.folds import assign_folds
from graft.data.split import write_split
from graft.duplicates.fingerprints import fingerprint_images
from stages import paths, split
from tests.seals import reseal

HERE = Path()
CLASSES = ["benign", "malignant"]


def about(images: np.ndarray) -> dict:
    """How images (N, 1, *patch) were processed."""
    return {
        "patch": list(images.shape[2:]),
        "spacing": None,
        "window": [0, 1],
        "intensity": "window",
        "size": "voxels",
    }


def write_two_sites(name: str, images: np.ndarray) -> None:
    """Write a domain and its split: a patient for each image, a quarter of them of site-b.

    Args:
        name: of the domain, which params.yaml has.
        images: (N, 1, *patch); every other one is malignant.
    """
    count = np.arange(len(images))
    index = pd.DataFrame(
        {
            "sample": count,
            "patient": [f"{name}{i:02}" for i in count],
            "label": np.array(CLASSES)[count % 2],
            "site": np.where(count // 2 % 4 == 0, "site-b", "site-a"),
            "split": "",
            "origin": [f"manifest.csv:{i + 2}" for i in count],
            "size": 5.0,
            "hash": fingerprint_images(images),
        }
    )
    write_domain(paths.processed(name), Domain(name, images, index, CLASSES, about(images)))
    split.main(name)


def read_parts(name: str, root: Path = HERE) -> pd.Series:
    """The part of each lesion of a domain, "" for those without one."""
    return read_column(name, "part", "", root)


def read_column(name: str, column: str, absent: object, root: Path) -> pd.Series:
    """A column of the split of a domain, with a value for the lesions that have no part."""
    table = pd.read_csv(root / f"data/splits/{name}.csv", comment="#").set_index("sample")
    index = pd.read_csv(root / f"data/processed/{name}/index.csv")
    return table[column].reindex(range(len(index)), fill_value=absent)


def write_parts(
    name: str,
    parts: Sequence[str] | np.ndarray | pd.Series,
    root: Path = HERE,
    folds: pd.Series | None = None,
) -> None:
    """Write the split of a domain: the part of each of its lesions.

    Without a validation part and `folds`, the training patients are divided into three folds.
    """
    domain = Domain.read(root / f"data/processed/{name}")
    part = pd.Series(np.asarray(parts))
    if folds is None:
        folds = assign_folds(name, domain.index, part, domain.classes, 3, seed=0)
    write_split(root / f"data/splits/{name}.csv", part, domain.index, folds)


def edit_index(name: str, change: Callable[[pd.DataFrame], object], root: Path = HERE) -> None:
    """Change the index of a domain, and write its split again with the same parts and folds."""
    parts = read_parts(name, root)
    folds = read_column(name, "fold", 0, root)
    edit_table(name, "index.csv", change, root)
    write_parts(name, parts, root, folds)


def edit_table(
    name: str, file: str, change: Callable[[pd.DataFrame], object], root: Path = HERE
) -> None:
    """Change a table of a domain."""
    folder = root / f"data/processed/{name}"
    table = pd.read_csv(folder / file, dtype=str, keep_default_na=False)
    change(table)
    table.to_csv(folder / file, index=False)
    reseal(folder / "domain.json")


def edit_images(name: str, change: Callable[[np.ndarray], object], root: Path = HERE) -> None:
    """Change the images of a domain."""
    folder = root / f"data/processed/{name}"
    images = np.load(folder / "images.npy")
    change(images)
    np.save(folder / "images.npy", images)
    reseal(folder / "domain.json")
