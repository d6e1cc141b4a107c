"""Fingerprints: a digest of an image's bytes, and perceptual hashes of a plane."""

import hashlib
from dataclasses import dataclass

import numpy as np

DIGITS = 16  # hexadecimal, of the digest and of each perceptual hash
MIRRORS = ((), (0,), (1,), (0, 1))  # axes of a plane that each mirror image reverses
# Share of voxels that differ from the most common value. Below it an image is a shape on an empty
# background, and such images resemble each other.
FILLED = 0.1


@dataclass(frozen=True)
class DuplicatePair:
    """Two images, by their numbers, that show the same picture, and how similar they are."""

    first: int
    second: int
    evidence: str


def fingerprint_images(images: np.ndarray) -> list[str]:
    """Fingerprints of images (N, C, *spatial) in [0, 1], in hexadecimal digits.

    They start with 16 digits of the SHA-256 of the image's bytes. For planes with enough content,
    16 digits follow for the perceptual hash (pHash of 64 bits, Zauner 2010) of the image and of
    each of its mirror images.
    """
    return [_digest(image) + _perceptual_hashes(image) for image in images]


def grey_levels(image: np.ndarray) -> np.ndarray:
    """An image (C, *spatial) in [0, 1] as its mean over channels, (*spatial) uint8."""
    return np.round(255 * mean_channel(image)).astype(np.uint8)


def mean_channel(image: np.ndarray) -> np.ndarray:
    """The mean over the channels of an image: (C, *spatial) to (*spatial) float32."""
    return image.astype(np.float32).mean(0)


def _digest(image: np.ndarray) -> str:
    return hashlib.sha256(image.tobytes()).hexdigest()[:DIGITS]


def _perceptual_hashes(image: np.ndarray) -> str:
    """The hashes of the mirror images of a plane, "" for a volume or a plane with less content."""
    if image.ndim != 3:
        return ""
    grey = grey_levels(image)
    most_common = np.bincount(grey.ravel()).max()
    if most_common > (1 - FILLED) * grey.size:
        return ""
    from imagehash import phash
    from PIL import Image

    hashes = ""
    for axes in MIRRORS:
        mirror_image = Image.fromarray(np.flip(grey, axes))
        hashes += str(phash(mirror_image))
    return hashes
