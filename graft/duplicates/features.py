"""What the searches for copies need to know of each image of a domain, computed once.

It is a few thousand bytes for each image, of which only one is read at a time.
"""

import hashlib
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from graft.common.code import code_digest, library_versions
from graft.common.files import whole_file
from graft.common.names import check_identifier
from graft.common.parallel import run_parallel
from graft.data.arrays import load_array
from graft.data.domain import Domain
from graft.duplicates import planes, volumes
from graft.duplicates.images import Images
from graft.duplicates.keypoints import Keypoints, find_keypoints

TOGETHER = 256  # images that one piece of work describes
ALONE = 512  # images: with fewer, other processes would take longer to start
CODE = ("common", "duplicates")  # packages that decide what an image shows
LIBRARIES = ("numpy", "scipy")
PREFIX = "keypoints_"  # of the names of their arrays in a file


@dataclass(frozen=True)
class Features:
    """What N images of one size show.

    Attributes:
        described: arrays (N, ...) from `planes.describe` or `volumes.describe`.
        keypoints: of all images.
    """

    described: Mapping[str, np.ndarray]
    keypoints: Keypoints

    def of(self, rows: np.ndarray) -> "Features":
        """Return those of some images, each at most once, in this order."""
        described = {name: array[rows] for name, array in self.described.items()}
        return Features(described, self.keypoints.of_images(rows))

    @classmethod
    def joined(cls, several: Sequence["Features"]) -> "Features":
        """Return those of all images."""
        if len(several) == 1:
            return several[0]
        described = {}
        for name in several[0].described:
            described[name] = np.concatenate([each.described[name] for each in several])
        counts = [len(each.described["digits"]) for each in several]
        return cls(described, Keypoints.joined([each.keypoints for each in several], counts))


def describe_images(images: np.ndarray) -> Features:
    """Describe images (N, C, *spatial). Reads one at a time."""
    axes = images.ndim - 2
    describe = planes.describe if axes == 2 else volumes.describe
    return Features(describe(images), find_keypoints(images, axes))


def describe_domain(domain: Domain, cache: Path | None = None) -> Features:
    """Describe the images of a domain, or read what an earlier call wrote for the same images.

    Args:
        domain: N images.
        cache: a folder with a file for each domain.
    """
    path = cache and cache / f"{check_identifier(domain.name)}.npz"
    key = _key(domain)
    if path and (known := _read(path, key)):
        return known
    features = _describe_all(domain.images)
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as partial, partial.open("wb") as file:
            arrays: dict[str, Any] = {"key": np.array(key), **_arrays(features)}
            np.savez(file, **arrays)
    return features


def describe_selections(images: Images, cache: Path | None) -> Features:
    """Describe the images of several selections, in their order."""
    described = []
    for domain, rows in images.selections:
        described.append(describe_domain(domain, cache).of(rows))
    return Features.joined(described)


def _describe_all(images: np.ndarray) -> Features:
    """Describe images (N, C, *spatial), many of them in several processes if they are in a file.

    They are described in the same pieces either way: the last bits of a matrix product depend on
    how many rows it has.
    """
    pieces = [slice(start, start + TOGETHER) for start in range(0, len(images), TOGETHER)]
    file = _file_of(images)
    if file is None or len(images) < ALONE:
        return Features.joined([describe_images(images[rows]) for rows in pieces])
    return Features.joined(run_parallel(partial(_describe_rows, file), pieces))


def _file_of(images: np.ndarray) -> Path | None:
    """The file that has all of these images and nothing else, or None."""
    if not isinstance(images, np.memmap):
        return None
    file = Path(str(images.filename)).absolute()
    whole = load_array(file)
    is_whole = (images.shape, images.strides) == (whole.shape, whole.strides)
    return file if is_whole else None


def _describe_rows(file: Path, rows: slice) -> Features:
    """Describe a piece of the images in a file."""
    return describe_images(load_array(file)[rows])


def _key(domain: Domain) -> str:
    """SHA-256 of the images, as their fingerprints tell them apart, and of the code."""
    code = (code_digest(CODE), library_versions(LIBRARIES))
    digest = hashlib.sha256(repr((domain.images.shape, code)).encode())
    digest.update("\n".join(domain.index["hash"]).encode())
    return digest.hexdigest()


def _arrays(features: Features) -> dict[str, np.ndarray]:
    arrays = dict(features.described)
    for field in fields(Keypoints):
        arrays[PREFIX + field.name] = getattr(features.keypoints, field.name)
    return arrays


def _read(path: Path, key: str) -> Features | None:
    """Read what was written with the same key; None if there is none, or if it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:
            if file["key"].item() != key:
                return None
            arrays = {name: file[name] for name in file.files if name != "key"}  # checks each CRC
        names = [field.name for field in fields(Keypoints)]
        keypoints = Keypoints(**{name: arrays.pop(PREFIX + name) for name in names})
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return Features(arrays, keypoints)
