"""A domain without leaks, and ways to plant one."""

from dataclasses import replace

import numpy as np
import pandas as pd

from graft.data import split
from graft.data.domain import Domain
from graft.data.settings import SplitRules
from graft.duplicates import fingerprints
from graft.leakage.split_domain import SplitDomain

CLASSES = ["benign", "malignant"]
SEED = 42
ABOUT = {
    "patch": [8, 8, 8],
    "spacing": None,
    "window": [0, 1],
    "intensity": "window",
    "size": "voxels",
}
RULES = SplitRules(external="site-b", test=0.3, validation=0.2, labelled=1.0)
HALF_LABELLED = RULES.model_copy(update={"labelled": 0.5})
NO_EXTERNAL_SITE = RULES.model_copy(update={"external": None})
COPIES = {
    "identical": lambda image: image,
    "mirrored": lambda image: image[:, ::-1],
    "coarse correlation": lambda image: np.clip(
        1.1 * (image + 0.02 * np.random.default_rng(1).standard_normal(image.shape)), 0, 1
    ),
}


def make(name: str, rules: SplitRules = RULES, given: bool = False) -> SplitDomain:
    """Make 40 patients with one lesion each, a quarter of them of site-b, and draw their parts."""
    count = np.arange(40)
    images = np.random.default_rng(len(name)).random((40, 1, 8, 8, 8)).astype(np.float16)
    parts = np.array(["train", "train", "validation", "test", "test"])[count // 2 % 5]
    index = pd.DataFrame(
        {
            "sample": count,
            "patient": [f"{name}-{i}" for i in count],
            "label": np.array(CLASSES)[count % 2],
            "site": np.where(count // 2 % 4 == 0, "site-b", "site-a"),
            "split": parts if given else "",
            "origin": [f"manifest.csv:{i + 2}" for i in count],
            "size": 5.0,
            "hash": fingerprints.fingerprint_images(images),
        }
    )
    drawn = split.assign_parts(name, index, CLASSES, rules, SEED)
    return SplitDomain(Domain(name, images, index, CLASSES, ABOUT), drawn)


def with_image(domain: SplitDomain, row: int, image: np.ndarray) -> SplitDomain:
    """The same with another image at a row."""
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
