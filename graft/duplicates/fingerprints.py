"""Fingerprints: a digest of an image's bytes, and perceptual hashes of a plane."""

import hashlib
from dataclasses import dataclass

import numpy as np

IDENTICAL = "identical"  # the evidence of a pair with the same bytes
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
    """Return the fingerprints of images (N, C, *spatial) in [0, 1], in hexadecimal digits.

    They start with 16 digits of the SHA-256 of the image's bytes. For planes with enough content,
    16 digits follow for the perceptual hash (pHash of 64 bits, Zauner 2010) of the image and of
    each of its mirror images.
    """
    fingerprints = []
    for image in images:
        fingerprint = _digest(image) + _perceptual_hashes(image)
        fingerprints.append(fingerprint)
    return fingerprints


def grey_levels(image: np.ndarray) -> np.ndarray:
    """Return the mean over channels of an image (C, *spatial) in [0, 1], as (*spatial) uint8."""
    levels = np.round(255 * mean_channel(image))
    return levels.astype(np.uint8)


def mean_channel(image: np.ndarray) -> np.ndarray:
    """Return the mean over the channels of an image: (C, *spatial) to (*spatial) float32."""
    exact = image.astype(np.float32)  # a sum in float16 would lose digits
    return exact.mean(0)


def _digest(image: np.ndarray) -> str:
    digest = hashlib.sha256(image.tobytes())
    return digest.hexdigest()[:DIGITS]


def _perceptual_hashes(image: np.ndarray) -> str:
    """Return the hashes of a plane's mirror images; "" for a volume or a plane with less content.

    The digits of all hashes are joined.
    """
    if image.ndim != 3:
        return ""
    grey = grey_levels(image)
    pixels_of_level = np.bincount(grey.ravel())
    most_common = pixels_of_level.max()
    if most_common > (1 - FILLED) * grey.size:
        return ""
    from imagehash import phash
    from PIL import Image

    hashes = ""
    for axes in MIRRORS:
        mirror_image = Image.fromarray(np.flip(grey, axes))
        hashes += str(phash(mirror_image))
    return hashes
