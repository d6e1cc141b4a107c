"""A domain without leaks, and ways to plant one."""

from dataclasses import replace

import numpy as np
import pandas as pd

from graft.data import folds, split
from graft.data.domain import Domain
from graft.data.settings import SplitRules
from graft.duplicates import fingerprints
from graft.leakage.split_domain import SplitDomain

CLASSES = ["benign", "malignant"]
SEED = 42
PREPROCESSING = {
    "patch": [8, 8, 8],
    "spacing": None,
    "window": [0, 1],
    "intensity": "window",
    "size": "voxels",
}
RULES = SplitRules(
    external="site-b", test=0.3, validation=0.2, folds=5, labelled=1.0, duplicates="refuse"
)
NO_VALIDATION = RULES.model_copy(update={"validation": 0})
HALF_LABELLED = RULES.model_copy(update={"labelled": 0.5})
NO_EXTERNAL_SITE = RULES.model_copy(update={"external": None})


def change_slightly(image: np.ndarray) -> np.ndarray:
    """The image with a little noise and 10 % more contrast."""
    noise = np.random.default_rng(1).standard_normal(image.shape)
    return np.clip(1.1 * (image + 0.02 * noise), 0, 1)


# Copies of an image by the evidence that a message gives for them.
COPIES = {
    "identical": lambda image: image,
    "mirrored": lambda image: image[:, ::-1],
    "coarse correlation": change_slightly,
}


def make(
    name: str, rules: SplitRules = RULES, given: bool = False, validation: bool = True
) -> SplitDomain:
    """Make 40 patients with one lesion each, a quarter of them of site-b, and draw their parts.

    Args:
        name: of the domain.
        rules: of the split.
        given: whether the data has a split.
        validation: whether that has a validation part.
    """
    rows = np.arange(40)
    pairs = rows // 2  # one lesion of each class
    rng = np.random.default_rng(len(name))
    images = rng.random((40, 1, 8, 8, 8)).astype(np.float16)
    third = "validation" if validation else "train"
    given_parts = np.array(["train", "train", third, "test", "test"])
    table = {
        "sample": rows,
        "patient": [f"{name}-{row}" for row in rows],
        "label": np.array(CLASSES)[rows % 2],
        "site": np.where(pairs % 4 == 0, "site-b", "site-a"),
        "split": given_parts[pairs % 5] if given else "",
        "origin": [f"manifest.csv:{row + 2}" for row in rows],
        "size": 5.0,
        "hash": fingerprints.fingerprint_images(images),
    }
    index = pd.DataFrame(table)
    parts = split.assign_parts(name, index, CLASSES, rules, SEED)
    drawn = folds.assign_folds(name, index, parts, CLASSES, rules.folds, SEED)
    return SplitDomain(Domain(name, images, index, CLASSES, PREPROCESSING), parts, drawn)


def with_image(domain: SplitDomain, row: int, image: np.ndarray) -> SplitDomain:
    """The same domain with another image in a row."""
    images = domain.domain.images.copy()
    images[row] = image
    index = domain.domain.index.assign(hash=fingerprints.fingerprint_images(images))
    return replace(domain, domain=replace(domain.domain, images=images, index=index))


def with_column(domain: SplitDomain, row: int, **cells: str) -> SplitDomain:
    index = domain.domain.index.copy()
    for column, cell in cells.items():
        index.loc[row, column] = cell
    return replace(domain, domain=replace(domain.domain, index=index))


def with_part(domain: SplitDomain, row: int, part: str) -> SplitDomain:
    parts = domain.parts.copy()
    parts[row] = part
    return replace(domain, parts=parts)
